/**
 * The energy of requests: the power that the box's GPUs draw while Ollama serves requests, divided
 * among those requests. Pure: the caller passes in power and monotonic time.
 *
 * Power is read at intervals and assumed to change linearly between two readings. At each moment
 * the open inference requests share it equally. The energies of all requests therefore add up to
 * exactly the energy that the GPUs drew while at least one request was open. Consequences:
 * - It is board power as the driver reports it, not power at the wall socket.
 * - It includes the idle power of the GPUs while a request is open.
 * - It covers all GPUs of the box, because the GPU that serves a model is not known.
 * - It lasts from sending the request to Ollama until the end of the answer. A request waiting for
 *   a slot has a share too, because the wait is not visible outside Ollama.
 *
 * Energy is null if unknown: without a GPU, with a GPU that does not report its power, and across a
 * gap in the readings.
 */

/** A GPU without a reading for longer than this is gone, and its power since then is unknown. */
export const GAP_MS = 5_000;

/** Time that a finished request waits for the next reading. After it the last reading is used. */
export const SETTLE_MS = 2_000;

/** Energies kept for records not yet sent. The oldest are dropped; their records have none. */
const SETTLED_MAX = 10_000;

const MS_PER_SECOND = 1_000;

type Power = { atMs: number; watts: number };

/** Power is divided up to `atMs`. The last reading arrived at `readMs`. */
type Gpu = { atMs: number; readMs: number; watts: number | null };

/** A request; `toMs` is null while it is open. `joules` covers the time already divided. */
type Span = { fromMs: number; toMs: number | null; joules: number; isKnown: boolean };

export class EnergyMeter {
  readonly #gpus = new Map<number, Gpu>();
  /** Requests that are open, or finished and waiting for a reading of every GPU. */
  readonly #spans = new Map<string, Span>();
  readonly #settled = new Map<string, number>();

  /**
   * Adds a power reading of one GPU.
   * @param watts  null if the GPU does not report its power
   * @param atMs   monotonic, like all times in this file
   */
  read(gpu: number, watts: number | null, atMs: number): void {
    this.#forgetSilent(atMs);
    const last = this.#gpus.get(gpu);
    this.#gpus.set(gpu, { atMs, readMs: atMs, watts });
    if (last === undefined || last.watts === null || watts === null) this.#spoil();
    else this.#divide({ atMs: last.atMs, watts: last.watts }, { atMs, watts });
    this.#settle();
  }

  /** The request is being sent to Ollama. */
  begin(id: string, atMs: number): void {
    this.#forgetSilent(atMs);
    const isKnown =
      this.#gpus.size > 0 && [...this.#gpus.values()].every(({ watts }) => watts !== null);
    this.#spans.set(id, { fromMs: atMs, toMs: null, joules: 0, isKnown });
  }

  /** Ollama has finished its answer, or was stopped. Only the first call counts. */
  end(id: string, atMs: number): void {
    const span = this.#spans.get(id);
    if (span === undefined || span.toMs !== null) return;
    span.toMs = atMs;
    if (atMs <= this.#dividedMs) this.#finish(id, span);
  }

  /** Settles requests that have waited long enough for a reading, using the last reading. */
  tick(nowMs: number): void {
    this.#forgetSilent(nowMs);
    this.#settleBy(nowMs - SETTLE_MS);
  }

  /** Settles every finished request now, using the last reading. */
  settleNow(): void {
    this.#settleBy(Number.POSITIVE_INFINITY);
  }

  /** Returns true once the energy of the request is final, be it known or unknown. */
  isSettled(id: string): boolean {
    const span = this.#spans.get(id);
    return span === undefined || (span.toMs !== null && !span.isKnown);
  }

  /** Returns the joules of a settled request; null if unknown. */
  joulesOf(id: string): number | null {
    return this.#settled.get(id) ?? null;
  }

  /** Settles the requests that finished by `endMs`. */
  #settleBy(endMs: number): void {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const { toMs } of this.#spans.values())
      if (toMs !== null && toMs <= endMs) lastMs = Math.max(lastMs, toMs);
    for (const gpu of this.#gpus.values()) {
      if (gpu.atMs >= lastMs || gpu.watts === null) continue;
      this.#divide({ atMs: gpu.atMs, watts: gpu.watts }, { atMs: lastMs, watts: gpu.watts });
      gpu.atMs = lastMs;
    }
    this.#settle();
  }

  /** Moves finished requests whose power is divided up to their end to the settled ones. */
  #settle(): void {
    const dividedMs = this.#dividedMs;
    for (const [id, span] of this.#spans)
      if (span.toMs !== null && span.toMs <= dividedMs) this.#finish(id, span);
  }

  #finish(id: string, { joules, isKnown }: Span): void {
    this.#spans.delete(id);
    if (!isKnown) return;
    this.#settled.set(id, Math.round(joules * 1_000) / 1_000);
    const [oldest] = this.#settled.keys();
    if (this.#settled.size > SETTLED_MAX && oldest !== undefined) this.#settled.delete(oldest);
  }

  /** Time up to which the power of every GPU is divided; infinite without a GPU. */
  get #dividedMs(): number {
    let dividedMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#gpus.values()) dividedMs = Math.min(dividedMs, atMs);
    return dividedMs;
  }

  /**
   * Divides the energy of one GPU between two readings among the open requests. The interval is cut
   * wherever a request begins or ends, and each piece is divided among the requests open during it.
   */
  #divide(from: Power, to: Power): void {
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
    // Joules of a request that is open since the first reading.
    let each = 0;
    for (const { atMs, span, opens } of moments) {
      const here = { atMs, watts: wattsAt(atMs, from, to) };
      if (open > 0) each += joulesBetween(before, here) / open;
      before = here;
      open += opens ? 1 : -1;
      span.joules += opens ? -each : each;
    }
  }

  /**
   * Removes GPUs that are gone. Open requests become unknown; later ones use the remaining GPUs.
   */
  #forgetSilent(nowMs: number): void {
    for (const [index, { readMs }] of this.#gpus) {
      if (nowMs - readMs <= GAP_MS) continue;
      this.#gpus.delete(index);
      this.#spoil();
    }
  }

  /** Marks the energy of every open or unsettled request as unknown. */
  #spoil(): void {
    for (const span of this.#spans.values()) span.isKnown = false;
    this.#settle();
  }
}

const wattsAt = (atMs: number, from: Power, to: Power): number =>
  from.watts + ((to.watts - from.watts) * (atMs - from.atMs)) / (to.atMs - from.atMs);

const joulesBetween = (a: Power, b: Power): number =>
  (((a.watts + b.watts) / 2) * (b.atMs - a.atMs)) / MS_PER_SECOND;
