/** The open requests of the box, however they came, and how many of them wait for Ollama. */
import type { OpenRequest } from "../../protocol/inventory.ts";
import type { OllamaQueue } from "./queue.ts";

/** One way for requests to come: through the tunnel, or through the local listener. */
export type RequestSource = {
  readonly requests: OpenRequest[];
  /** Ids of the requests whose answer Ollama has finished. */
  readonly answered: string[];
};

export class OpenRequests {
  readonly #queue: OllamaQueue;
  readonly #sources: readonly RequestSource[];
  readonly #loaded: () => readonly string[];

  /** @param loaded  returns the names of the models in memory */
  constructor(
    queue: OllamaQueue,
    sources: readonly RequestSource[],
    loaded: () => readonly string[],
  ) {
    this.#queue = queue;
    this.#sources = sources;
    this.#loaded = loaded;
  }

  /** Returns the requests in any order. */
  list(): OpenRequest[] {
    return this.#queue.mark({
      requests: this.#sources.flatMap(({ requests }) => requests),
      answered: new Set(this.#sources.flatMap(({ answered }) => answered)),
      loaded: this.#loaded(),
    });
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
