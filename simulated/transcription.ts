/**
 * `/v1/audio/transcriptions`: a form with audio, answered with one object or a text alone. Ollama
 * hands the audio to a chat that it streams, so the answer has the type of a stream.
 */
import type { Exchange } from "./exchange.ts";
import type { PromptCall } from "./generation.ts";
import { BadBody, goJson } from "./go-json.ts";
import { type AnswerFormat, answer, type World } from "./inference.ts";
import { KEEP_ALIVE_MS } from "./keep-alive.ts";
import { refusalFor } from "./native.ts";
import { openaiError } from "./openai.ts";

const PROMPT = "Transcribe the following audio exactly as spoken.";

export async function transcriptions(exchange: Exchange, world: World): Promise<void> {
  const form = await formOf(exchange);
  const field = (name: string) => {
    const value = form.get(name);
    return typeof value === "string" ? value : "";
  };
  const [model, file] = [field("model"), form.get("file")];
  if (model === "") throw new BadBody("model is required");
  if (!(file instanceof Blob)) throw new BadBody("file is required: http: no such file");
  if (file.size === 0) throw new BadBody("audio file is empty");
  const call: PromptCall = {
    model,
    prompt: `${PROMPT} ${field("prompt")}`,
    images: 1,
    tools: [],
    think: null,
    format: undefined,
    maxTokens: null,
    keepMs: KEEP_ALIVE_MS,
  };
  const format = formatOf(field("response_format") === "text");
  return answer(exchange, call, format, world, refusalFor(call, "chat"));
}

async function formOf({ body, contentType }: Exchange): Promise<FormData> {
  try {
    const headers = { "content-type": contentType ?? "" };
    return await new Response(new Uint8Array(body), { headers }).formData();
  } catch {
    throw new BadBody(
      "failed to parse multipart form: request Content-Type isn't multipart/form-data",
    );
  }
}

const formatOf = (isText: boolean): AnswerFormat => ({
  streams: false,
  contentType: "application/x-ndjson",
  headers: {},
  piece: () => [],
  final: () => [],
  whole: ({ content }) => ({
    contentType: "application/x-ndjson",
    body: isText ? content.trim() : `${goJson({ text: content.trim() })}\n`,
  }),
  broken: () => [],
  malformed: () => "",
  error: openaiError,
});
