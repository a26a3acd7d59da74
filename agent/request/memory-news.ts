/**
 * News of the models in memory, from the requests that load and unload them. The next poll of Ollama
 * may be 5 s away.
 */
import type { ReadBody } from "../../protocol/body-reader.ts";

/** All requests of a box share one, because they share its Ollama. */
export class MemoryNews {
  /** Called with a model that a request has used, and whether it is in memory now. */
  onNews: (model: string, isLoaded: boolean) => void = () => {};

  /** Ollama answers a request, so its model is in memory. */
  answers(model: string): void {
    this.onNews(model, true);
  }

  /** A request that unloads its model has ended. */
  unloads(model: string): void {
    this.onNews(model, false);
  }
}

/** A longer value is no duration. */
const KEEP_ALIVE_BYTES_MAX = 64;
const ZERO = /^[+-]?0+(\.0*)?(h|m|s|ms|us|ns)?$/;

/** Returns whether Ollama unloads the model after a request: its body has a `keep_alive` of 0. */
export function unloadsAfter(body: Uint8Array, read: ReadBody | null): boolean {
  const slice = read?.scan.ok === true ? read.scan.fields.get("keep_alive") : undefined;
  if (slice === undefined || slice.to - slice.from > KEEP_ALIVE_BYTES_MAX) return false;
  const value: unknown = JSON.parse(new TextDecoder().decode(body.subarray(slice.from, slice.to)));
  return value === 0 || (typeof value === "string" && ZERO.test(value));
}
