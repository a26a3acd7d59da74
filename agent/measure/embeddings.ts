/**
 * Answers of `/api/embed`, `/api/embeddings` and `/v1/embeddings`, read without their vectors.
 *
 * An answer may be tens of megabytes of numbers, and parsing those would hold up every stream of
 * the box. The figures stand after the vectors: in `api.EmbedResponse` and in the OpenAI list
 * alike everything after the last `]` is flat members and the closing brace.
 *
 * `/api/embeddings` says nothing but the vector. None says how long the prompt or the vectors took.
 *
 * @see https://github.com/ollama/ollama/blob/main/api/types.go (EmbedResponse, EmbeddingResponse)
 * @see https://github.com/ollama/ollama/blob/main/openai/openai.go (EmbeddingList)
 */
import { z } from "zod";
import { type AnswerPart, errorText, optional } from "./answer-part.ts";

/** Enough for the members after the vectors; the longest is a model's name. */
export const EMBEDDINGS_TAIL_BYTES = 4096;

const Figures = z.object({
  prompt_eval_count: optional.count,
  total_duration: optional.nanoseconds,
  load_duration: optional.nanoseconds,
  usage: optional.object({ prompt_tokens: optional.count }),
  error: optional.any,
});

/**
 * @param tail     the last {@link EMBEDDINGS_TAIL_BYTES} of the answer, or all of a shorter one
 * @param isWhole  it is all of it
 */
export function partOfEmbeddings(tail: string, isWhole: boolean): AnswerPart {
  const vectorsEnd = tail.lastIndexOf("]");
  const hasContent = vectorsEnd >= 0 || !isWhole;
  let value: unknown;
  try {
    value = JSON.parse(isWhole ? tail : lastMembers(tail, vectorsEnd));
  } catch {
    // Cut off; or, of a long one, not as we know it. The last character tells these apart.
    return { hasContent, isLast: !isWhole && tail.trimEnd().endsWith("}") };
  }
  const figures = Figures.safeParse(value);
  if (!figures.success) return { hasContent, isLast: false };
  return {
    hasContent,
    isLast: true,
    promptTokens: figures.data.prompt_eval_count ?? figures.data.usage?.prompt_tokens,
    totalNs: figures.data.total_duration,
    loadNs: figures.data.load_duration,
    error: errorText(figures.data.error),
  };
}

/** The members after the vectors, as an object of their own. */
function lastMembers(tail: string, vectorsEnd: number): string {
  const members = vectorsEnd < 0 ? "" : tail.slice(vectorsEnd + 1).trimStart();
  return `{${members.startsWith(",") ? members.slice(1) : members}`;
}
