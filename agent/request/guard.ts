/** The guard of this box's Ollama: decides whether a request may be sent to it. */
import type { Failure } from "../../protocol/failures.ts";
import type { Open } from "../../protocol/messages.ts";

export type Refusal = Extract<
  Failure,
  { reason: "bad_request" | "cloud_model" | "server_tool" | "ollama_unreachable" }
>;

/** Returns null for a request that may be sent; a promise, if the models must be read first. */
export type Guard = (open: Open, body: Uint8Array) => Refusal | null | Promise<Refusal | null>;
