/**
 * The queue in front of Ollama: which open requests wait, and which Ollama is working on.
 *
 * Ollama reports no queue. A request waits if its model is not in memory, or if all parallel slots
 * of the model are taken. A slot that works on a prompt, or on an answer in one piece, looks from
 * outside like one that waits, so the slots are counted. Pure.
 */
import { type OpenPhase, type OpenRequest, withTag } from "../../protocol/inventory.ts";
import { isInference } from "../../protocol/routes.ts";
import type { Slots } from "../queue/slots.ts";

export type QueueSnapshot = {
  /**
   * `is_queued`: Ollama has not begun to answer. With a `queue_position` it does not even have the
   * request.
   */
  requests: readonly OpenRequest[];
  /** Ids of the requests whose answer Ollama has finished, although their caller still reads it. */
  answered: ReadonlySet<string>;
  /** Names of the models in memory. */
  loaded: readonly string[];
};

export class OllamaQueue {
  readonly #slots: Slots;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** Returns the requests, with `is_queued` true only for those that wait. */
  mark({ requests, answered, loaded }: QueueSnapshot): OpenRequest[] {
    const inMemory = new Set(loaded.map(withTag));
    const waiting = new Set<string>();
    for (const [model, open] of byModelName(requests)) {
      const working = open.filter(
        ({ request_id, is_queued }) => !is_queued && !answered.has(request_id),
      ).length;
      const isAbsent = working === 0 && !inMemory.has(model);
      if (isAbsent) this.#slots.forget(model);
      else this.#slots.saw(model, working);
      const free = isAbsent ? 0 : this.#slots.of(model) - working;
      const unanswered = open.filter(({ is_queued }) => is_queued).sort(inOrderOfService);
      for (const { request_id } of unanswered.slice(free)) waiting.add(request_id);
    }
    return requests.map((request) => {
      const is_queued = waiting.has(request.request_id);
      const isWaiting = is_queued || request.queue_position !== null;
      return isWaiting
        ? { ...request, is_queued, phase: waitOf(request, inMemory) }
        : { ...request, is_queued };
    });
  }
}

/** A request that Ollama does not have yet waits in the queue, whether its model is in memory or not. */
const waitOf = (
  { model, queue_position }: OpenRequest,
  inMemory: ReadonlySet<string>,
): OpenPhase =>
  queue_position !== null || model === null || inMemory.has(withTag(model)) ? "queue" : "load";

/** Requests that Ollama has come first, by their age; then the others, by their place. */
const inOrderOfService = (a: OpenRequest, b: OpenRequest): number =>
  (a.queue_position ?? 0) - (b.queue_position ?? 0) || (a.started_at < b.started_at ? -1 : 1);

/** Only work with a model needs a slot. (Node 20 has no `Map.groupBy`.) */
function byModelName(requests: readonly OpenRequest[]): Map<string, OpenRequest[]> {
  const models = new Map<string, OpenRequest[]>();
  for (const request of requests) {
    if (request.model === null || !isInference(request.endpoint)) continue;
    const name = withTag(request.model);
    models.set(name, [...(models.get(name) ?? []), request]);
  }
  return models;
}
