/**
 * The energy of requests: the power that the box's GPUs draw while Ollama serves requests, divided
 * among those requests. Pure: the caller passes in power and monotonic time.
 *
 * `gpu-power.ts` turns readings into stretches of known energy. At each moment the open inference
 * requests share the power of a GPU equally. The energies of all requests therefore add up to
 * exactly the energy that the GPUs drew while at least one request was open; the rest is idle.
 * Consequences:
 * - It is board power as the driver reports it, not power at the wall socket.
 * - It includes the idle power of the GPUs while a request is open.
 * - It covers all GPUs of the box, unless it is known which of them hold the model.
 * - It lasts from sending the request to Ollama until the end of the answer. A request that the agent
 *   holds back has no share; one that waits inside Ollama has, because that wait is not visible.
 *
 * Energy is null if unknown: without a GPU, with a GPU that does not report its power, across a
 * gap in the readings, and where readings are too rare for the length of the request. The GPUs'
 * totals count that energy all the same.
 */
import { addEnergy, type GpuEnergy, joulesIn, NO_ENERGY } from "../../protocol/gpu-energy.ts";
import type { EnergyMethod } from "../../protocol/records.ts";
import { GpuPower, type Stretch } from "./gpu-power.ts";
import { busyMsIn, sharesOf } from "./shares.ts";

/** A GPU without a reading for longer than this is gone, and its power since then is unknown. */
export const GAP_MS = 5_000;

/** Time that a finished request waits for the next reading. After it the last reading is used. */
export const SETTLE_MS = 2_000;

/**
 * Readings of instantaneous power may be this far apart, or a tenth of the request if that is
 * longer.
 */
export const STRETCH_MS = 300;

/**
 * Means do not show when in their second the energy was drawn. Measured against the counter of an
 * H100, this is off by up to 11 % for a request of one second and 4 % from two seconds on.
 */
export const MEAN_MS_MIN = 2_000;

/** A reading of utilization covers up to a second, so the first ones after a request may show that request. */
const USED_AFTER_MS = 2_000;

const MS_PER_SECOND = 1_000;

/** Energies kept for records not yet sent. The oldest are dropped; their records have none. */
const SETTLED_MAX = 10_000;

/** A request; `toMs` is null while it is open. `joules` covers the time already divided. */
type Span = {
  fromMs: number;
  toMs: number | null;
  /** The GPUs that share its model; null for all. */
  gpus: ReadonlySet<number> | null;
  joules: number;
  isKnown: boolean;
  /** The longest time between two instantaneous readings. */
  longestMs: number;
  /** Time for which there are only means, by GPU. */
  meanMs: Map<number, number>;
};

export type RequestEnergy = { joules: number; method: EnergyMethod };

export class EnergyMeter {
  readonly #gpus = new Map<number, GpuPower>();
  readonly #totals = new Map<number, GpuEnergy>();
  /** Requests that are open, or finished and waiting for a reading of every GPU. */
  readonly #spans = new Map<string, Span>();
  readonly #settled = new Map<string, RequestEnergy>();
  #open = 0;
  /** No request has been open since. */
  #restingSinceMs = Number.NEGATIVE_INFINITY;

  /** Called when the first request begins and when the last one has ended. */
  onBusy: (isBusy: boolean) => void = () => {};

  /** True while Ollama has a model in memory: idle power then is the model's standing cost. */
  hasModel = false;

  /**
   * Returns true while a GPU works for somebody although no request is open, such as callers of Ollama past
   * the agent. With a model in memory, its energy is then that of requests that nobody knows, and not the
   * standing cost of the model.
   */
  isUsed: (gpu: number) => boolean = () => false;

  /** Returns the GPUs that hold a model; null if unknown. */
  gpusOf: (model: string) => ReadonlySet<number> | null = () => null;

  /**
   * Adds a power reading of one GPU.
   * @param watts  null if the GPU does not report its power
   * @param atMs   monotonic, like all times in this file
   */
  read(gpu: number, watts: number | null, atMs: number, kind: EnergyMethod = "instant"): void {
    this.#forgetSilent(atMs);
    const power = this.#gpus.get(gpu);
    if (power === undefined || !power.isKnown || watts === null) {
      this.#gpus.set(gpu, new GpuPower(watts, atMs, kind));
      this.#spoil(gpu);
    } else {
      const spans = this.#spansOn(gpu);
      this.#divide(
        gpu,
        power.read(watts, atMs, kind, (fromMs, toMs) => busyMsIn(spans, fromMs, toMs)),
      );
    }
    this.#settle();
  }

  /**
   * The request is being sent to Ollama.
   * @param model  null if the request names no model
   */
  begin(id: string, atMs: number, model: string | null = null): void {
    this.#forgetSilent(atMs);
    if (this.#open++ === 0) {
      for (const [gpu, power] of this.#gpus) this.#divide(gpu, power.wake(atMs));
      this.onBusy(true);
    }
    const gpus = model === null ? null : this.gpusOf(model);
    const power = [...this.#gpus].filter(([gpu]) => gpus?.has(gpu) ?? true);
    this.#spans.set(id, {
      fromMs: atMs,
      toMs: null,
      gpus,
      joules: 0,
      isKnown: power.length > 0 && power.every(([, { isKnown }]) => isKnown),
      longestMs: 0,
      meanMs: new Map(),
    });
  }

  /** Ollama has finished its answer, or was stopped. Only the first call counts. */
  end(id: string, atMs: number): void {
    const span = this.#spans.get(id);
    if (span === undefined || span.toMs !== null) return;
    span.toMs = atMs;
    if (--this.#open === 0) {
      this.#restingSinceMs = atMs;
      this.onBusy(false);
    }
    if (atMs <= this.#dividedMs(span)) this.#finish(id, span);
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

  /** Returns the energy of a settled request; null if unknown. */
  energyOf(id: string): RequestEnergy | null {
    return this.#settled.get(id) ?? null;
  }

  /** Returns the energy of each GPU since the start, by index. */
  get totals(): ReadonlyMap<number, GpuEnergy> {
    return this.#totals;
  }

  /** Returns the energy of one GPU since the start; null if it was not measured. */
  joulesOf(gpu: number): number | null {
    const total = this.#totals.get(gpu);
    return total === undefined ? null : joulesIn(total);
  }

  /** Settles the requests that finished by `endMs`. */
  #settleBy(endMs: number): void {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const { toMs } of this.#spans.values())
      if (toMs !== null && toMs <= endMs) lastMs = Math.max(lastMs, toMs);
    for (const [gpu, power] of this.#gpus) this.#divide(gpu, power.extend(lastMs));
    this.#settle();
  }

  /** Moves finished requests whose power is divided up to their end to the settled ones. */
  #settle(): void {
    for (const [id, span] of this.#spans)
      if (span.toMs !== null && span.toMs <= this.#dividedMs(span)) this.#finish(id, span);
  }

  #finish(id: string, span: Span): void {
    this.#spans.delete(id);
    const method = methodOf(span);
    if (method === null) return;
    this.#settled.set(id, { joules: Math.round(span.joules * 1_000) / 1_000, method });
    const [oldest] = this.#settled.keys();
    if (this.#settled.size > SETTLED_MAX && oldest !== undefined) this.#settled.delete(oldest);
  }

  /** Time up to which the power of a request's GPUs is divided; infinite without a GPU. */
  #dividedMs({ gpus }: Span): number {
    let dividedMs = Number.POSITIVE_INFINITY;
    for (const [gpu, { atMs }] of this.#gpus)
      if (gpus?.has(gpu) ?? true) dividedMs = Math.min(dividedMs, atMs);
    return dividedMs;
  }

  #spansOn(gpu: number): Span[] {
    return [...this.#spans.values()].filter(({ gpus }) => gpus?.has(gpu) ?? true);
  }

  /** Divides the energy of a stretch of one GPU among the requests that were open during it. */
  #divide(gpu: number, stretch: Stretch | null): void {
    if (stretch === null) return;
    const { fromMs, toMs, kind } = stretch;
    const { shares, busyJ, idleJ, busyMs } = sharesOf(this.#spansOn(gpu), stretch);
    for (const [span, { joules, ms }] of shares) {
      span.joules += joules;
      if (kind === "instant") span.longestMs = Math.max(span.longestMs, ms);
      else span.meanMs.set(gpu, (span.meanMs.get(gpu) ?? 0) + ms);
    }
    const active = { joules: busyJ, seconds: busyMs / MS_PER_SECOND };
    const rest = { joules: idleJ, seconds: (toMs - fromMs - busyMs) / MS_PER_SECOND };
    const isUsed =
      this.#open === 0 && fromMs - this.#restingSinceMs >= USED_AFTER_MS && this.isUsed(gpu);
    const state = !this.hasModel ? "idle" : isUsed ? "active" : "loaded";
    const before = addEnergy(this.#totals.get(gpu) ?? NO_ENERGY, { active });
    this.#totals.set(gpu, addEnergy(before, { [state]: rest }));
  }

  /**
   * Removes GPUs that are gone. Open requests become unknown; later ones use the remaining GPUs.
   */
  #forgetSilent(nowMs: number): void {
    for (const [index, { readMs }] of this.#gpus) {
      if (nowMs - readMs <= GAP_MS) continue;
      this.#gpus.delete(index);
      this.#spoil(index);
    }
  }

  /** Marks the energy of every open or unsettled request on a GPU as unknown. */
  #spoil(gpu: number): void {
    for (const span of this.#spansOn(gpu)) span.isKnown = false;
    this.#settle();
  }
}

/** Returns how the energy of a request was measured; null if it was not measured well enough. */
function methodOf({ fromMs, toMs, isKnown, longestMs, meanMs }: Span): EnergyMethod | null {
  if (!isKnown || toMs === null) return null;
  const lengthMs = toMs - fromMs;
  const toleratedMs = Math.max(STRETCH_MS, lengthMs / 10);
  if (longestMs > toleratedMs) return null;
  if (Math.max(0, ...meanMs.values()) <= toleratedMs) return "instant";
  return lengthMs >= MEAN_MS_MIN ? "mean" : null;
}
