/** The open requests of the box, however they came, and how many of them wait for Ollama. */
import type { OpenRequest } from "../../protocol/inventory.ts";
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

  /** One snapshot for both figures, so that at most as many requests wait as are open. */
  load(): { in_flight: number; queued: number } {
    const requests = this.list();
    return {
      in_flight: requests.length,
      queued: requests.filter(({ is_queued }) => is_queued).length,
    };
  }
}
