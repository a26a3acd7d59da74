/** The turn of a request at Ollama: it waits in the queue of the box, unless it needs no slot. */
import type { Open } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { isInference } from "../../protocol/routes.ts";
import { PhaseInference } from "../infer/phase-inference.ts";
import { PromptFit } from "../infer/prompt-fit.ts";
import type { Measured } from "../measure/meter.ts";
import type { QueuePlace } from "../queue/fair-queue.ts";
import { RequestQueue, type Shown } from "../queue/request-queue.ts";
import { Slots } from "../queue/slots.ts";
import { MemoryNews } from "./memory-news.ts";
import { OllamaPatience } from "./patience.ts";
import { Silence } from "./silence.ts";

/** All requests of a box share one of each, because they share its Ollama. */
export type OllamaTurns = {
  queue: RequestQueue;
  phases: PhaseInference;
  memory: MemoryNews;
  silence: Silence;
  patience: OllamaPatience;
  fit: PromptFit;
};

/** @param parallel  `OLLAMA_NUM_PARALLEL`; null if unknown */
export function turnsOf(parallel: number | null): OllamaTurns {
  const queue = new RequestQueue(new Slots(parallel));
  return {
    queue,
    phases: new PhaseInference(queue.slots),
    memory: new MemoryNews(),
    silence: new Silence(),
    patience: new OllamaPatience(),
    fit: new PromptFit(),
  };
}

/** `bytes`: the size of the body. */
type Turn = { id: string; open: Open; bytes: number; source: RequestRecord["source"] };

/**
 * Calls `send` when Ollama may have the request: at once, or when it is its turn. Callers go before
 * a bench of the box, and before loads that no caller waits for. Among callers, the key decides.
 * @param send    receives the time that the request waited, ms
 * @param onFull  called instead if too many requests wait, with the place that it had
 * @returns its place in the queue; null if it does not wait
 */
export function awaitTurn(
  { id, open, bytes, source }: Turn,
  { queue, now }: Pick<OllamaTurns, "queue"> & { now: () => number },
  send: (waitedMs: number) => void,
  onFull: (place: QueuePlace) => void,
): QueuePlace | null {
  const { endpoint, model, key_id, client_ip, priority: ofKey = "normal" } = open;
  if (!isInference(endpoint) || model === null) {
    send(0);
    return null;
  }
  const enteredMs = now();
  const onTurn = () => send(now() - enteredMs);
  const lane = key_id ?? client_ip ?? "";
  const priority = source === "bench" || source === "system" ? "low" : ofKey;
  return queue.enter({ id, lane, priority, bytes, model, onTurn, onFull }, enteredMs);
}

/**
 * Returns what an answer shows about its turn in Ollama; null if it took no slot.
 * @param waitedMs  the part of its wait before Ollama had it
 */
export const shownBy = (
  { error, completion_tokens, queue_ms }: Measured,
  waitedMs: number,
): Shown | null =>
  error !== null || !completion_tokens
    ? null
    : { waitedMs: queue_ms === null ? null : queue_ms - waitedMs };
