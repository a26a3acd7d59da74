/**
 * The queue in front of Ollama: which open requests wait, and which Ollama is working on.
 *
 * Ollama reports no queue. A request waits if its model is not in memory, or if all parallel slots
 * of the model are taken. A slot that works on a prompt, or on an answer in one piece, looks from
 * outside like one that waits, so the slots are counted: those of `OLLAMA_NUM_PARALLEL` if the agent
 * knows it, and at least as many as were seen answering at once. Pure.
 */
import { type OpenRequest, withTag } from "../../protocol/inventory.ts";
import { isInference } from "../../protocol/routes.ts";

export type QueueSnapshot = {
  /** `is_queued`: Ollama has not begun to answer. */
  requests: readonly OpenRequest[];
  /** Ids of the requests whose answer Ollama has finished, although their caller still reads it. */
  answered: ReadonlySet<string>;
  /** Names of the models in memory. */
  loaded: readonly string[];
};

export class OllamaQueue {
  readonly #slotsMin: number;
  /** The most requests of a model that were answered at once, while it is in memory. */
  readonly #seen = new Map<string, number>();

  /** @param parallel  `OLLAMA_NUM_PARALLEL`; null if unknown, when Ollama's default of 1 holds */
  constructor(parallel: number | null) {
    this.#slotsMin = Math.max(1, parallel ?? 1);
  }

  /** Returns the requests, with `is_queued` true only for those that wait. */
  mark({ requests, answered, loaded }: QueueSnapshot): OpenRequest[] {
    const inMemory = new Set(loaded.map(withTag));
    const waiting = new Set<string>();
    for (const [model, open] of byModelName(requests)) {
      const working = open.filter(
        ({ request_id, is_queued }) => !is_queued && !answered.has(request_id),
      ).length;
      if (working === 0 && !inMemory.has(model)) this.#seen.delete(model);
      else this.#seen.set(model, Math.max(working, this.#seen.get(model) ?? this.#slotsMin));
      const free = (this.#seen.get(model) ?? 0) - working;
      const unanswered = open
        .filter(({ is_queued }) => is_queued)
        .sort((a, b) => (a.started_at < b.started_at ? -1 : 1));
      for (const { request_id } of unanswered.slice(free)) waiting.add(request_id);
    }
    return requests.map((request) => ({
      ...request,
      is_queued: waiting.has(request.request_id),
    }));
  }
}

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
