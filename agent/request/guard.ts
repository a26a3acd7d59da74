/** The guard of this box's Ollama: decides whether a request may be sent to it. */
import type { ReadBody } from "../../protocol/body-reader.ts";
import type { Failure } from "../../protocol/failures.ts";
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
