/**
 * Measures one answer of Ollama while its bytes pass through.
 *
 * Returns the bytes unchanged, unless it hides usage that only the agent requested. Has no clock
 * and no socket: the caller passes in monotonic milliseconds and chunks.
 */
import type { Api } from "../../protocol/records.ts";
import { makesVectors } from "../../protocol/routes.ts";
import type { AnswerDialect, AnswerPart } from "./answer-part.ts";
import { anthropic } from "./anthropic.ts";
import { partOfImages, partOfTranscription } from "./media.ts";
import { native, progress } from "./native.ts";
import { openai } from "./openai.ts";
import {
  embeddingsReader,
  errorReader,
  mediaReader,
  passingReader,
  type Reader,
  wholeReader,
} from "./readers.ts";
import { responses } from "./responses.ts";
import { type StreamFormat, StreamReader } from "./stream-reader.ts";
import { type AnswerArrival, type Measured, Tally } from "./tally.ts";

export type { Measured } from "./tally.ts";

export type MeterOptions = {
  /** The route pattern, e.g. `/api/chat`. */
  endpoint: string;
  api: Api;
  /** True if the request wants a streamed answer. */
  stream: boolean;
  /** Removes the usage that only the agent requested; see local-body.ts. */
  hideUsage: boolean;
  keepText: boolean;
  /** Monotonic ms at which the request arrived on this box. */
  startMs: number;
};

export type Meter = {
  /** Ollama got the request only after this time. */
  waited(ms: number): void;
  /** Called once, before any data. */
  head(status: number, contentType: string | null, nowMs: number): void;
  /** Returns the bytes to forward now, possibly none. */
  data(chunk: Uint8Array, nowMs: number): Uint8Array;
  /**
   * Ends the measurement and returns the bytes held back. Not called for an answer that was cut
   * off: the caller then knows the reason.
   */
  end(nowMs: number): Uint8Array;
  /** Returns the figures known so far. */
  measured(): Measured;
  arrival(): AnswerArrival;
};

/**
 * Endpoints whose answers contain tokens or progress. For an endpoint in no table only the status
 * counts.
 */
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
const MEDIA: ReadonlyMap<string, (text: string) => AnswerPart> = new Map([
  ["/v1/images/generations", partOfImages],
  ["/v1/images/edits", partOfImages],
  ["/v1/audio/transcriptions", partOfTranscription],
]);

export function meterOf(options: MeterOptions): Meter {
  const { startMs, keepText, api } = options;
  const tally = new Tally({ startMs, keepText, timesDecode: api !== "ollama" });
  let reader = passingReader;
  return {
    waited: (ms) => tally.waited(ms),
    head(status, contentType) {
      reader = readerOf(options, status, contentType, tally);
    },
    data: (chunk, nowMs) => reader.data(chunk, nowMs),
    end: (nowMs) => reader.end(nowMs),
    measured: () => tally.measured(),
    arrival: () => tally.arrival,
  };
}

function readerOf(
  options: MeterOptions,
  status: number,
  contentType: string | null,
  tally: Tally,
): Reader {
  if (status >= 400) return errorReader(status, tally);
  if (makesVectors(options.endpoint)) return embeddingsReader(tally);
  const partOfMedia = MEDIA.get(options.endpoint);
  if (partOfMedia !== undefined) return mediaReader(partOfMedia, tally);
  const dialect = DIALECTS.get(options.endpoint);
  if (dialect === undefined) return passingReader;
  const format = formatOf(options, contentType);
  if (format === "whole") return wholeReader(dialect, tally);
  return new StreamReader(dialect, format, options.hideUsage && format === "sse", tally);
}

/**
 * Returns the format by the content type. The request alone does not determine it: Ollama answers a
 * request that only loads a model with one object, even if it wants a stream.
 */
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
