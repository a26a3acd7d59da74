/**
 * The energy of requests: what the GPUs of the box drew while Ollama had them, shared among them. Pure: power
 * and monotonic time are handed in.
 *
 * Power is read at moments and taken to change evenly between two of them. At each moment it is shared equally by
 * the inference requests that are open then: so what all of them got is what the GPUs drew while there was any,
 * no more and no less. What that means, and does not:
 * - It is board power as the driver tells it, not what the wall gives.
 * - It is all of it: what an idle GPU draws is in it, while a request is open.
 * - It is of all GPUs of the box, since which of them serves a model cannot be told.
 * - It is from when Ollama is asked until it has answered: a request that waits for a slot has its share too,
 *   since nobody outside Ollama can tell that it waits.
 *
 * Unknown is null: without a GPU, with one that does not say its power, and across a gap in the readings.
 */

/** A GPU that says nothing for longer is not there, and what it drew meanwhile not known. */
export const GAP_MS = 5_000;

/** How long a request that is over waits for the next reading. Then the last one stands for it. */
export const SETTLE_MS = 2_000;

/** Figures that are kept for records on their way: the newest. A record that waits longer has none. */
const SETTLED_MAX = 10_000;

const MS_PER_SECOND = 1_000;

type Power = { atMs: number; watts: number };

/** Shared out up to `atMs`, by the reading of `heardMs`. */
type Gpu = { atMs: number; heardMs: number; watts: number | null };

/** A request; `toMs` null while it is open. `joules` counts up to where the power is shared out. */
type Span = { fromMs: number; toMs: number | null; joules: number; isKnown: boolean };

export class EnergyMeter {
  readonly #gpus = new Map<number, Gpu>();
  /** Open, or over and waiting for a reading of every GPU. */
  readonly #spans = new Map<string, Span>();
  readonly #settled = new Map<string, number>();

  /**
   * One GPU at one moment.
   * @param watts  null where it does not say
   * @param atMs   monotonic, like all times here
   */
  read(gpu: number, watts: number | null, atMs: number): void {
    this.#forgetSilent(atMs);
    const last = this.#gpus.get(gpu);
    this.#gpus.set(gpu, { atMs, heardMs: atMs, watts });
    if (last === undefined || last.watts === null || watts === null) this.#spoil();
    else this.#share({ atMs: last.atMs, watts: last.watts }, { atMs, watts });
    this.#settle();
  }

  /** Ollama is asked. */
  begin(id: string, atMs: number): void {
    this.#forgetSilent(atMs);
    const isKnown =
      this.#gpus.size > 0 && [...this.#gpus.values()].every(({ watts }) => watts !== null);
    this.#spans.set(id, { fromMs: atMs, toMs: null, joules: 0, isKnown });
  }

  /** Ollama has answered, or was stopped. Only the first time counts. */
  end(id: string, atMs: number): void {
    const span = this.#spans.get(id);
    if (span === undefined || span.toMs !== null) return;
    span.toMs = atMs;
    if (atMs <= this.#sharedMs) this.#keep(id, span);
  }

  /** Time has passed: who has waited long enough for a reading is settled by the last one. */
  tick(nowMs: number): void {
    this.#forgetSilent(nowMs);
    this.#settleBy(nowMs - SETTLE_MS);
  }

  /** There is no time to wait: whatever is over is settled by the last reading. */
  settleNow(): void {
    this.#settleBy(Number.POSITIVE_INFINITY);
  }

  /** Whether nothing more will be learnt of the request. */
  isSettled(id: string): boolean {
    const span = this.#spans.get(id);
    return span === undefined || (span.toMs !== null && !span.isKnown);
  }

  /** Joules of a settled request; null where they are not known. */
  joulesOf(id: string): number | null {
    return this.#settled.get(id) ?? null;
  }

  /** @param overMs  for requests that were over by then */
  #settleBy(overMs: number): void {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const { toMs } of this.#spans.values())
      if (toMs !== null && toMs <= overMs) lastMs = Math.max(lastMs, toMs);
    for (const gpu of this.#gpus.values()) {
      if (gpu.atMs >= lastMs || gpu.watts === null) continue;
      this.#share({ atMs: gpu.atMs, watts: gpu.watts }, { atMs: lastMs, watts: gpu.watts });
      gpu.atMs = lastMs;
    }
    this.#settle();
  }

  /** Moves those that are over, and shared out to their end, to where their figures are asked for. The others had their share too. */
  #settle(): void {
    const sharedMs = this.#sharedMs;
    for (const [id, span] of this.#spans)
      if (span.toMs !== null && span.toMs <= sharedMs) this.#keep(id, span);
  }

  #keep(id: string, { joules, isKnown }: Span): void {
    this.#spans.delete(id);
    if (!isKnown) return;
    this.#settled.set(id, Math.round(joules * 1_000) / 1_000);
    const [oldest] = this.#settled.keys();
    if (this.#settled.size > SETTLED_MAX && oldest !== undefined) this.#settled.delete(oldest);
  }

  /** Up to when the power of every GPU is shared out; without a GPU there is none to wait for. */
  get #sharedMs(): number {
    let sharedMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#gpus.values()) sharedMs = Math.min(sharedMs, atMs);
    return sharedMs;
  }

  /** Shares what one GPU drew between two moments among the requests that were open, each piece among those of that piece. */
  #share(from: Power, to: Power): void {
    const moments: { atMs: number; span: Span; opens: boolean }[] = [];
    for (const span of this.#spans.values()) {
      const fromMs = Math.max(span.fromMs, from.atMs);
      const toMs = Math.min(span.toMs ?? to.atMs, to.atMs);
      if (fromMs < toMs)
        moments.push({ atMs: fromMs, span, opens: true }, { atMs: toMs, span, opens: false });
    }
    moments.sort((a, b) => a.atMs - b.atMs);
    let open = 0;
    let before = from;
    // Joules that a request got that was open from the beginning.
    let each = 0;
    for (const { atMs, span, opens } of moments) {
      const here = { atMs, watts: wattsAt(atMs, from, to) };
      if (open > 0) each += joulesBetween(before, here) / open;
      before = here;
      open += opens ? 1 : -1;
      span.joules += opens ? -each : each;
    }
  }

  /** A GPU that is gone leaves its part of what is open unknown; later requests are of those that are left. */
  #forgetSilent(nowMs: number): void {
    for (const [index, { heardMs }] of this.#gpus) {
      if (nowMs - heardMs <= GAP_MS) continue;
      this.#gpus.delete(index);
      this.#spoil();
    }
  }

  /** What is open, or not shared out yet, cannot be known any more. */
  #spoil(): void {
    for (const span of this.#spans.values()) span.isKnown = false;
    this.#settle();
  }
}

const wattsAt = (atMs: number, from: Power, to: Power): number =>
  from.watts + ((to.watts - from.watts) * (atMs - from.atMs)) / (to.atMs - from.atMs);

const joulesBetween = (a: Power, b: Power): number =>
  (((a.watts + b.watts) / 2) * (b.atMs - a.atMs)) / MS_PER_SECOND;
