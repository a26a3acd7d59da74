/**
 * Probes an Ollama whose requests wait in silence: an Ollama that loads a model still returns its
 * version, one that hangs returns nothing. Its requests then fail, and the readings show it, until it
 * answers again.
 */
import { getFromOllama } from "./inventory-fetch.ts";

/** Decides when to probe, and what follows: `request/silence.ts`. Its times are monotonic ms. */
export type Probing = {
  readonly probeMs: number;
  /** Null unless Ollama hangs. */
  readonly hungText: string | null;
  isProbeDue(nowMs: number): boolean;
  probed(beganMs: number, isSilent: boolean, nowMs: number): void;
  failHung(): void;
};

export type HangProbeShell = {
  base: URL;
  silence: Probing;
  /** @param reason  for people */
  onHung(reason: string): void;
  /** Ollama answers again. */
  onBack(): void;
};

/** It answers at once, whatever Ollama's scheduler is doing. */
const PATH = "/api/version";

const TICK_MS = 1_000;

export class HangProbe {
  readonly #shell: HangProbeShell;
  #isProbing = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(shell: HangProbeShell) {
    this.#shell = shell;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#probe(), TICK_MS);
  }

  /** The result of a probe in progress is discarded. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Probes while that is due: until Ollama answers, or nobody waits. */
  async #probe(): Promise<void> {
    const { base, silence, onHung, onBack } = this.#shell;
    if (this.#isProbing) return;
    this.#isProbing = true;
    while (this.#timer !== null && silence.isProbeDue(performance.now())) {
      const beganMs = performance.now();
      const wasHung = silence.hungText !== null;
      const answer = await getFromOllama(base, PATH, silence.probeMs);
      if (this.#timer === null) break;
      silence.probed(beganMs, !answer.ok && answer.timedOut, performance.now());
      const { hungText } = silence;
      // The edge should know before it chooses another box for the requests that fail.
      if (hungText !== null && !wasHung) onHung(`Ollama hangs: ${hungText}`);
      silence.failHung();
      if (hungText === null && wasHung) onBack();
    }
    this.#isProbing = false;
  }
}
