/**
 * Patience with an Ollama that refuses connections, as after a restart or an update of it. Pure.
 *
 * A refused connection has carried nothing, so the request can be sent later without being sent
 * twice. An Ollama that has never answered is not waited for: its address is probably wrong. All
 * requests of a box share one patience, so that its length is the same for each.
 */
import type { Open } from "../../protocol/messages.ts";

/** Returns whether a request waits for Ollama: no other box can serve it. */
export const waitsForOllama = ({ may_move }: Pick<Open, "may_move">): boolean => may_move !== true;

/**
 * The service of Ollama's installer restarts it after 3 s, and it then starts within a few seconds.
 */
export const OLLAMA_BACK_MS = 10_000;

const RETRY_MS = 100;

export class OllamaPatience {
  /** Called with the first refusal after an answer, and with the first answer after a refusal. */
  onChange: () => void = () => {};
  #hasAnswered = false;
  /** The first refusal since the last answer, monotonic ms. */
  #refusedMs: number | null = null;

  /** Ollama has answered something, to anybody. */
  answered(): void {
    const wasRefused = this.#refusedMs !== null;
    this.#hasAnswered = true;
    this.#refusedMs = null;
    if (wasRefused) this.onChange();
  }

  /**
   * A connection was refused. Returns the time until the next attempt, ms; null to give up.
   * @param isPatient  false if somebody else can serve the request
   */
  refused(nowMs: number, isPatient = true): number | null {
    if (!this.#hasAnswered) return null;
    const isFirst = this.#refusedMs === null;
    this.#refusedMs ??= nowMs;
    if (isFirst) this.onChange();
    if (!isPatient) return null;
    return nowMs - this.#refusedMs < OLLAMA_BACK_MS ? RETRY_MS : null;
  }
}
