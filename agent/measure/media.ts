/**
 * Answers of the routes for images and audio. They have no usage and no reason for their end, and
 * Ollama gives them the type of a stream although they are one object, or a text alone.
 *
 * @see https://github.com/ollama/ollama/blob/main/middleware/openai.go (ImageWriter,
 *   TranscriptionWriter)
 */
import * as z from "zod";
import { type AnswerPart, errorText, optional } from "./answer-part.ts";

const Images = z.object({ data: optional.list(z.unknown()), error: optional.any });
const Transcription = z.object({ text: optional.text, error: optional.any });

/** Parses an answer of `/v1/images`. Ollama sends nothing if the model makes no images. */
export function partOfImages(text: string): AnswerPart {
  const parsed = Images.safeParse(jsonIn(text)).data;
  return { isLast: parsed?.data !== undefined, error: errorText(parsed?.error) };
}

/**
 * Parses an answer of `/v1/audio/transcriptions`: `{"text":…}`, or the text as the request wants
 * it.
 */
export function partOfTranscription(text: string): AnswerPart {
  const parsed = Transcription.safeParse(jsonIn(text)).data;
  const spoken = parsed?.text ?? (parsed?.error === undefined ? text : "");
  return {
    text: spoken,
    hasContent: spoken !== "",
    isLast: text !== "",
    error: errorText(parsed?.error),
  };
}

/** Undefined if the text is not JSON. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
