/** Feeds an answer to a meter and collects its output. */
import { type Measured, type MeterOptions, meterOf } from "../../../../agent/measure/meter.ts";
import { START_MS } from "./samples/sample.ts";

export type Answer = {
  options: Pick<MeterOptions, "endpoint" | "api" | "stream"> & {
    hideUsage?: boolean;
    keepText?: boolean;
  };
  status?: number;
  contentType: string | null;
};

/** Returns in `out` the bytes that left the meter with each chunk, and last the bytes held back. */
export function feed(
  { options, status = 200, contentType }: Answer,
  chunks: Uint8Array[],
  atMs = (index: number) => START_MS + 110 + 10 * index,
): { out: Uint8Array[]; measured: Measured } {
  const meter = meterOf({ hideUsage: false, keepText: true, startMs: START_MS, ...options });
  meter.head(status, contentType, START_MS + 100);
  const out = chunks.map((chunk, index) => meter.data(chunk, atMs(index)));
  out.push(meter.end(atMs(chunks.length)));
  return { out, measured: meter.measured() };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (parts: Uint8Array[]): string => Buffer.concat(parts).toString();

/** Cuts at the given places, in any order. Places outside the bytes are ignored. */
export function cutAt(whole: Uint8Array, places: number[]): Uint8Array[] {
  const sorted = [...new Set(places)]
    .filter((place) => place > 0 && place < whole.length)
    .sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => whole.subarray(from, sorted[index] ?? whole.length));
}

export const byteByByte = (whole: Uint8Array): Uint8Array[] =>
  Array.from(whole, (_, at) => whole.subarray(at, at + 1));

export const NOTHING_MEASURED: Measured = {
  response: null,
  prompt_tokens: null,
  completion_tokens: null,
  ttft_ms: null,
  queue_ms: null,
  load_ms: null,
  prefill_ms: null,
  decode_ms: null,
  done_reason: null,
  error: null,
};
