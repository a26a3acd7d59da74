/**
 * Measures one answer of Ollama while its bytes pass through.
 *
 * The bytes that come out are those that went in, unless usage is hidden that only we asked for.
 * No clock and no socket: whoever has them hands in monotonic milliseconds and chunks.
 */
import type { Api } from "../../protocol/records.ts";
import type { AnswerDialect } from "./answer-part.ts";
import { anthropic } from "./anthropic.ts";
import { native, progress } from "./native.ts";
import { openai } from "./openai.ts";
import {
  embeddingsReader,
  errorReader,
  passingReader,
  type Reader,
  wholeReader,
} from "./readers.ts";
import { responses } from "./responses.ts";
import { type StreamFormat, StreamReader } from "./stream-reader.ts";
import { type Measured, Tally } from "./tally.ts";

export type { Measured } from "./tally.ts";

export type MeterOptions = {
  /** The route pattern, e.g. `/api/chat`. */
  endpoint: string;
  api: Api;
  /** Whether a streamed answer was asked for. */
  stream: boolean;
  /** Take out of the answer what is there only because the agent asked for usage, see local-body.ts. */
  hideUsage: boolean;
  keepText: boolean;
  /** Monotonic ms at which the request arrived on this box. */
  startMs: number;
};

export type Meter = {
  /** Once, before any data. */
  head(status: number, contentType: string | null, nowMs: number): void;
  /** @returns the bytes to send on now; maybe none */
  data(chunk: Uint8Array, nowMs: number): Uint8Array;
  /** Ollama ended its answer. Not for an answer that was cut off: whoever did that knows why. @returns held back bytes */
  end(nowMs: number): Uint8Array;
  /** What is known so far. */
  measured(): Measured;
};

/** Endpoints whose answers make tokens, or progress. Of those in neither table only the status counts. */
const DIALECTS: ReadonlyMap<string, AnswerDialect> = new Map([
  ["/api/generate", native],
  ["/api/chat", native],
  ["/api/pull", progress],
  ["/api/push", progress],
  ["/api/create", progress],
  ["/v1/chat/completions", openai],
  ["/v1/completions", openai],
  ["/v1/responses", responses],
  ["/v1/messages", anthropic],
]);
const EMBEDDINGS: ReadonlySet<string> = new Set([
  "/api/embed",
  "/api/embeddings",
  "/v1/embeddings",
]);

export function meterOf(options: MeterOptions): Meter {
  const { startMs, keepText, api } = options;
  const tally = new Tally({ startMs, keepText, timesDecode: api !== "ollama" });
  let reader = passingReader;
  return {
    head(status, contentType) {
      reader = readerOf(options, status, contentType, tally);
    },
    data: (chunk, nowMs) => reader.data(chunk, nowMs),
    end: (nowMs) => reader.end(nowMs),
    measured: () => tally.measured(),
  };
}

function readerOf(
  options: MeterOptions,
  status: number,
  contentType: string | null,
  tally: Tally,
): Reader {
  if (status >= 400) return errorReader(status, tally);
  if (EMBEDDINGS.has(options.endpoint)) return embeddingsReader(tally);
  const dialect = DIALECTS.get(options.endpoint);
  if (dialect === undefined) return passingReader;
  const format = formatOf(options, contentType);
  if (format === "whole") return wholeReader(dialect, tally);
  return new StreamReader(dialect, format, options.hideUsage && format === "sse", tally);
}

/** By what Ollama says it is: asked for a stream, it still answers a mere load of a model with one object. */
function formatOf(
  { stream, api }: MeterOptions,
  contentType: string | null,
): StreamFormat | "whole" {
  const [type = ""] = (contentType ?? "").split(";");
  switch (type.trim().toLowerCase()) {
    case "application/x-ndjson":
      return "ndjson";
    case "text/event-stream":
      return "sse";
    case "application/json":
      return "whole";
    default:
      if (!stream) return "whole";
      return api === "ollama" ? "ndjson" : "sse";
  }
}
