/**
 * The requests to which Ollama has not begun to answer. Decides when to probe it, and which of them it
 * will not answer because it hangs. Pure.
 *
 * Silence alone proves nothing: a cold load of a large model takes minutes. But an Ollama that loads, or
 * is busy, still returns its version. One that does not hangs, whatever the request.
 */
import { OLLAMA_BACK_MS } from "./patience.ts";

/** A request that moves to another box does so after this long without an answer to a probe. */
const HUNG_MS = 3_000;

const PROBE_MS = 1_500;

/** A probe that ends later shows that this process was held up, and nothing about Ollama. */
const HELD_UP_MS = 500;

/** Silence before a probe, if nothing is known about the model. */
const SILENT_MS = 3_000;
/** The bounds of that silence. Requests that wait for their turn have the upper one. */
const SILENT_MS_MIN = 1_000;
const SILENT_MS_MAX = 10_000;
/** A request is silent for longer than usual beyond this multiple of the longest recent silence. */
const UNUSUAL = 2;
/** The share of a long silence that the next, shorter one leaves. */
const REMEMBERED = 0.9;
/** Kinds of requests whose silence is remembered. */
const KINDS_MAX = 64;

export type SilentRequest = {
  /** Requests of the same kind have similar silences. */
  kind: string;
  /** False if another box can serve the request. */
  isPatient: boolean;
  /** Ollama hangs: the request fails. Called once, perhaps at once. */
  onHung(message: string): void;
};

type Entry = SilentRequest & { sinceMs: number; isSent: boolean };

export class Silence {
  /** Longest wait for one answer to a probe. Ollama needs a millisecond. */
  readonly probeMs = PROBE_MS;
  readonly #requests = new Map<string, Entry>();
  /** The longest recent silence of each kind, ms. */
  readonly #usual = new Map<string, number>();
  /** When the first of the probes began that had no answer, monotonic ms; null after an answer. */
  #failingMs: number | null = null;
  /** How long Ollama had no answer, as far as the last probe shows. */
  #hungMs = 0;
  #probedMs = Number.NEGATIVE_INFINITY;

  /** A request has arrived. It fails now if Ollama is known to hang. */
  begins(id: string, request: SilentRequest, nowMs: number): void {
    this.#requests.set(id, { ...request, sinceMs: nowMs, isSent: false });
    this.failHung();
  }

  /** Ollama has the request. */
  sent(id: string, nowMs: number): void {
    const entry = this.#requests.get(id);
    if (entry !== undefined) Object.assign(entry, { sinceMs: nowMs, isSent: true });
  }

  /** Ollama begins to answer. */
  answered(id: string, nowMs: number): void {
    const entry = this.#requests.get(id);
    this.#requests.delete(id);
    if (entry?.isSent !== true) return;
    const { kind, sinceMs } = entry;
    const usualMs = Math.max(nowMs - sinceMs, REMEMBERED * (this.#usual.get(kind) ?? 0));
    this.#usual.delete(kind);
    this.#usual.set(kind, usualMs);
    for (const oldest of this.#usual.keys())
      if (this.#usual.size > KINDS_MAX) this.#usual.delete(oldest);
  }

  /** The request is over. */
  left(id: string): void {
    this.#requests.delete(id);
  }

  /** Describes an Ollama that hangs; null if it does not, as far as is known. */
  get hungText(): string | null {
    if (this.#hungMs < HUNG_MS) return null;
    return `nothing came from it for ${Math.round(this.#hungMs / 1_000)} s, not even its version`;
  }

  /** Returns whether to probe: a request is silent for longer than usual, or Ollama did not answer. */
  isProbeDue(nowMs: number): boolean {
    if (this.#failingMs !== null) return true;
    if (nowMs - this.#probedMs < PROBE_MS) return false;
    for (const entry of this.#requests.values())
      if (nowMs - entry.sinceMs >= this.#boundOf(entry)) return true;
    return false;
  }

  /**
   * A probe has ended.
   * @param isSilent  it had no answer, not even a refusal
   */
  probed(beganMs: number, isSilent: boolean, nowMs: number): void {
    this.#probedMs = nowMs;
    if (isSilent && nowMs - beganMs > PROBE_MS + HELD_UP_MS) return;
    if (!isSilent) this.#failingMs = null;
    else this.#failingMs ??= beganMs;
    this.#hungMs = this.#failingMs === null ? 0 : nowMs - this.#failingMs;
  }

  /** Fails the requests that Ollama will not answer. */
  failHung(): void {
    if (this.hungText === null) return;
    for (const [id, { isPatient, onHung }] of [...this.#requests]) {
      const { hungText } = this;
      if (hungText === null || (isPatient && this.#hungMs < OLLAMA_BACK_MS)) continue;
      this.#requests.delete(id);
      onHung(hungText);
    }
  }

  #boundOf({ kind, isSent }: Entry): number {
    if (!isSent) return SILENT_MS_MAX;
    const usualMs = this.#usual.get(kind);
    const boundMs = usualMs === undefined ? SILENT_MS : UNUSUAL * usualMs;
    return Math.min(Math.max(boundMs, SILENT_MS_MIN), SILENT_MS_MAX);
  }
}
