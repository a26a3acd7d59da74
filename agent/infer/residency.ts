/**
 * The models that Ollama has in memory, as far as the agent can know between two polls. Pure.
 *
 * A poll of `/api/ps` shows it, and so does an answer of the model. The knowledge ages: the model
 * expires, or makes room for another one.
 */
import { type Inventory, withTag } from "../../protocol/inventory.ts";

export type Residency = "loaded" | "absent" | "unknown";

export type LoadedUntil = {
  /** With its tag. */
  model: string;
  /** Monotonic ms; null if unknown. */
  expiresMs: number | null;
};

/**
 * Returns the models in memory by a poll.
 * @param unixMs  the wall clock, which `expires_at` follows
 * @param nowMs   the monotonic clock at the same time
 */
export const loadedUntil = (
  { loaded }: Pick<Inventory, "loaded">,
  unixMs: number,
  nowMs: number,
): LoadedUntil[] =>
  loaded.map(({ name, expires_at }) => {
    const expiresUnixMs = expires_at === null ? Number.NaN : Date.parse(expires_at);
    const expiresMs = nowMs + expiresUnixMs - unixMs;
    return { model: withTag(name), expiresMs: Number.isNaN(expiresMs) ? null : expiresMs };
  });

/** A poll is due every 5 s, and takes its time on a busy machine. */
const FRESH_MS = 15_000;

export class Residencies {
  #polledMs = Number.NEGATIVE_INFINITY;
  readonly #loaded = new Map<string, { seenMs: number; expiresMs: number }>();
  /** Models that may have made room for another one since the poll. */
  readonly #disturbed = new Set<string>();

  polled(loaded: readonly LoadedUntil[], nowMs: number): void {
    this.#polledMs = nowMs;
    this.#disturbed.clear();
    this.#loaded.clear();
    for (const { model, expiresMs } of loaded)
      this.#loaded.set(model, {
        seenMs: nowMs,
        expiresMs: expiresMs ?? Number.POSITIVE_INFINITY,
      });
  }

  /** The model answers, so it is in memory. It expires later than before. */
  answered(model: string, nowMs: number): void {
    this.#disturbed.delete(model);
    this.#loaded.set(model, { seenMs: nowMs, expiresMs: Number.POSITIVE_INFINITY });
  }

  /** Ollama loads another model, which may push out these. */
  loading(): void {
    for (const model of this.#loaded.keys()) this.#disturbed.add(model);
  }

  of(model: string, nowMs: number): Residency {
    const loaded = this.#loaded.get(model);
    if (nowMs - (loaded?.seenMs ?? this.#polledMs) > FRESH_MS) return "unknown";
    if (loaded === undefined) return "absent";
    return this.#disturbed.has(model) || loaded.expiresMs <= nowMs ? "unknown" : "loaded";
  }
}
