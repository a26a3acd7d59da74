/** The open requests of the box, however they came, and how many of them wait for Ollama. */
import {
  type ModelReport,
  type OpenRequest,
  SERVED_MODELS_MAX,
  withTag,
} from "../../protocol/inventory.ts";
import { isInference } from "../../protocol/routes.ts";
import type { RequestQueue } from "../queue/request-queue.ts";
import type { NotedRequest } from "../spool/lines.ts";
import { OllamaQueue } from "./queue.ts";

/** One way for requests to come: through the tunnel, or through the local listener. */
export type RequestSource = {
  readonly requests: OpenRequest[];
  /** Ids of the requests whose answer Ollama has finished. */
  readonly answered: string[];
  /** The state of each that the spool notes. */
  readonly progress: NotedRequest[];
};

export class OpenRequests {
  readonly #held: RequestQueue;
  readonly #queue: OllamaQueue;
  readonly #sources: readonly RequestSource[];
  readonly #loaded: () => readonly string[];

  /**
   * @param held    the requests that Ollama does not have yet
   * @param sources  the tunnel first, and then the ways past the edge
   * @param loaded  returns the names of the models in memory
   */
  constructor(
    held: RequestQueue,
    sources: readonly RequestSource[],
    loaded: () => readonly string[],
  ) {
    this.#held = held;
    this.#queue = new OllamaQueue(held.slots);
    this.#sources = sources;
    this.#loaded = loaded;
  }

  /** Returns the requests in any order. */
  list(): OpenRequest[] {
    const places = this.#held.places();
    const placed = (request: OpenRequest): OpenRequest => {
      const place = places.get(request.request_id);
      return place === undefined
        ? request
        : { ...request, queue_position: place.position, queue_eta_ms: place.etaMs };
    };
    return this.#queue.mark({
      requests: this.#sources.flatMap(({ requests }) => requests.map(placed)),
      answered: new Set(this.#sources.flatMap(({ answered }) => answered)),
      loaded: this.#loaded(),
    });
  }

  /** Returns what a record needs if this agent is killed now. */
  progress(): NotedRequest[] {
    return this.#sources.flatMap(({ progress }) => progress);
  }

  /** One snapshot for all figures, so that at most as many requests wait as are open. */
  load(): { in_flight: number; queued: number; serving: ModelReport[] } {
    const requests = this.list();
    return {
      in_flight: requests.length,
      queued: requests.filter(({ is_queued }) => is_queued).length,
      serving: this.#serving(requests),
    };
  }

  /** The load by model: of models with open requests, and of those in memory. */
  #serving(requests: readonly OpenRequest[]): ModelReport[] {
    const [tunnel] = this.#sources;
    const tunnelled = new Set(tunnel?.requests.map(({ request_id }) => request_id));
    const served = new Map<string, ModelReport>();
    const entryOf = (model: string): ModelReport => {
      const known = served.get(model);
      if (known !== undefined) return known;
      const entry = { model, open: 0, local: 0, slots: this.#held.slots.of(model) };
      served.set(model, entry);
      return entry;
    };
    for (const { request_id, model, endpoint } of requests) {
      if (model === null || !isInference(endpoint)) continue;
      const entry = entryOf(withTag(model));
      entry.open++;
      if (!tunnelled.has(request_id)) entry.local++;
    }
    for (const model of this.#loaded()) entryOf(withTag(model));
    return [...served.values()].sort((a, b) => b.open - a.open).slice(0, SERVED_MODELS_MAX);
  }
}
