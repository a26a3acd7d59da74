/**
 * Answers of `/api/embed`, `/api/embeddings` and `/v1/embeddings`, parsed without their vectors.
 *
 * An answer may contain tens of megabytes of numbers; parsing them would delay every stream of the
 * box. The figures follow the vectors: both in `api.EmbedResponse` and in the OpenAI list, only
 * flat members and the closing brace follow the last `]`.
 *
 * `/api/embeddings` returns nothing but the vector. No endpoint returns the duration of the prompt
 * or of the vectors.
 *
 * @see https://github.com/ollama/ollama/blob/main/api/types.go (EmbedResponse, EmbeddingResponse)
 * @see https://github.com/ollama/ollama/blob/main/openai/openai.go (EmbeddingList)
 */
import * as z from "zod";
import { type AnswerPart, errorText, optional } from "./answer-part.ts";

/** Large enough for the members after the vectors, of which a model's name is the longest. */
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
 * @param isWhole  true if `tail` is the whole answer
 */
export function partOfEmbeddings(tail: string, isWhole: boolean): AnswerPart {
  const vectorsEnd = tail.lastIndexOf("]");
  const hasContent = vectorsEnd >= 0 || !isWhole;
  let value: unknown;
  try {
    value = JSON.parse(isWhole ? tail : lastMembers(tail, vectorsEnd));
  } catch {
    // Either cut off, or a long answer in an unknown form. The last character shows which.
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

/** Returns the members after the vectors as a JSON object. */
function lastMembers(tail: string, vectorsEnd: number): string {
  const members = vectorsEnd < 0 ? "" : tail.slice(vectorsEnd + 1).trimStart();
  return `{${members.startsWith(",") ? members.slice(1) : members}`;
}
