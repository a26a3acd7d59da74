/** The guard of this box's Ollama: decides whether a request may be sent to it. */
import type { ReadBody } from "../../protocol/body-reader.ts";
import { type Failure, sharedWireErrorOf } from "../../protocol/failures.ts";
import type { Open } from "../../protocol/messages.ts";

export type Refusal = Extract<
  Failure,
  { reason: "bad_request" | "cloud_model" | "server_tool" | "ollama_unreachable" | "queue_full" }
>;

/**
 * Returns null for a request that may be sent; a promise, if the models must be read first.
 * `body` is null for a request without one, or with one that is streamed.
 */
export type Guard = (open: Open, body: ReadBody | null) => Refusal | null | Promise<Refusal | null>;

/** Returns why a request of the agent itself was refused. */
export function refusalText(refusal: Refusal): string {
  switch (refusal.reason) {
    case "cloud_model":
      return `${refusal.model} runs on ollama.com, not on this box`;
    case "bad_request":
      return refusal.detail;
    case "server_tool":
      return `the tool ${refusal.tool} runs on ollama.com`;
    case "ollama_unreachable":
      return refusal.message;
    case "queue_full":
      return sharedWireErrorOf(refusal).message;
  }
}
