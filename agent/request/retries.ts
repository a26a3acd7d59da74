/** Decides whether a request that failed before its answer is sent to Ollama again. */
import { OLLAMA_BACK_MS, type OllamaPatience } from "./patience.ts";

const WAITED = `also after ${OLLAMA_BACK_MS / 1_000} s`;

export class Retries {
  readonly #patience: OllamaPatience;
  readonly #isPatient: boolean;
  #isSent = false;
  #hasWaited = false;

  /** @param isPatient  false if somebody else can serve the request */
  constructor(patience: OllamaPatience, isPatient: boolean) {
    this.#patience = patience;
    this.#isPatient = isPatient;
  }

  /**
   * Returns after how many ms to send the request again, or the error to report.
   * @param isUnserved  a kept connection was closed just as it was used again
   * @param isWhole     the whole body was sent
   */
  after(
    error: NodeJS.ErrnoException,
    { isUnserved, isWhole }: { isUnserved: boolean; isWhole: boolean },
  ): number | Error {
    if (isUnserved) {
      this.#isSent = isWhole;
      return 0;
    }
    if (error.code !== "ECONNREFUSED" || this.#isSent) return error;
    const waitMs = this.#patience.refused(performance.now(), this.#isPatient);
    if (waitMs === null) return this.#hasWaited ? new Error(`${error.message}, ${WAITED}`) : error;
    this.#hasWaited = true;
    return waitMs;
  }
}
