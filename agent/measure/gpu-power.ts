/**
 * The power of one GPU over time, from the readings of its driver: cuts time into stretches whose
 * energy is known. Pure.
 *
 * There are two kinds of readings, see `EnergyMethod`. Instantaneous power is assumed to change
 * linearly between two readings. A mean has the right energy but not its distribution in time:
 * while no request is open the GPU draws the power that it drew when it last rested, and the rest
 * of the energy belongs to the time with requests. This split makes means nearly as good as
 * instantaneous power: see `docs/decisions/0012-energy.md`.
 */
import type { EnergyMethod } from "../../protocol/records.ts";

/** Instantaneous readings closer than this make means superfluous. */
const FRESH_MS = 500;

/** After a request the power takes this long to settle to that of a resting GPU. */
const REST_MS = 300;

const MS_PER_SECOND = 1_000;

/** A stretch of time whose energy is known. */
export type Stretch = {
  fromMs: number;
  toMs: number;
  kind: EnergyMethod;
  /** Joules between two moments of the stretch, between which requests were open or not. */
  joulesIn(fromMs: number, toMs: number, isBusy: boolean): number;
};

/** Returns the milliseconds between two moments in which at least one request was open. */
export type BusyMs = (fromMs: number, toMs: number) => number;

export class GpuPower {
  /** Energy is known up to here. */
  #atMs: number;
  /** The last reading. */
  #readMs: number;
  /** Power at `atMs`; null if the GPU reports none. */
  #watts: number | null;
  #instantMs: number;
  /** Power while no request was open; null before it was seen. */
  #restW: number | null = null;
  /** A request was last open at this time. */
  #busyUntilMs = Number.NEGATIVE_INFINITY;
  /** The mean of the last second that was used begins a new account of energy here. */
  #meanMs: number;
  /** Joules between `meanMs` and `atMs`. */
  #sinceMeanJ = 0;

  constructor(watts: number | null, atMs: number, kind: EnergyMethod) {
    this.#instantMs = kind === "instant" ? atMs : Number.NEGATIVE_INFINITY;
    this.#atMs = atMs;
    this.#readMs = atMs;
    this.#watts = watts;
    this.#meanMs = atMs;
  }

  /** Time up to which the energy is known. */
  get atMs(): number {
    return this.#atMs;
  }

  get readMs(): number {
    return this.#readMs;
  }

  get isKnown(): boolean {
    return this.#watts !== null;
  }

  /** Adds a reading. Returns the stretch that it ends, if it ends one. */
  read(watts: number, atMs: number, kind: EnergyMethod, busyMs: BusyMs): Stretch | null {
    this.#readMs = Math.max(this.#readMs, atMs);
    if (kind === "mean" && atMs - this.#instantMs <= FRESH_MS) {
      this.#meanMs = this.#atMs;
      this.#sinceMeanJ = 0;
      return null;
    }
    if (kind === "instant") this.#instantMs = Math.max(this.#instantMs, atMs);
    if (atMs <= this.#atMs) {
      if (kind === "instant") this.#watts = watts;
      return null;
    }
    return kind === "instant" ? this.#ramp(watts, atMs, busyMs) : this.#spread(watts, atMs, busyMs);
  }

  /**
   * The first request begins: until now the GPU rested. Returns the stretch up to this time, unless
   * the readings are frequent enough to show it.
   */
  wake(atMs: number): Stretch | null {
    const isFresh = atMs - this.#instantMs <= FRESH_MS;
    return isFresh ? null : this.extend(atMs);
  }

  /** Assumes the last power up to a time. */
  extend(toMs: number): Stretch | null {
    if (this.#watts === null || toMs <= this.#atMs) return null;
    return this.#ramp(this.#watts, toMs, () => 0);
  }

  /** Power changes linearly. */
  #ramp(watts: number, toMs: number, busyMs: BusyMs): Stretch {
    const from = { atMs: this.#atMs, watts: this.#watts ?? watts };
    const to = { atMs: toMs, watts };
    const wattsAt = (atMs: number) =>
      from.watts + ((to.watts - from.watts) * (atMs - from.atMs)) / (to.atMs - from.atMs);
    if (busyMs(from.atMs, toMs) > 0) this.#busyUntilMs = toMs;
    else if (toMs - this.#busyUntilMs > REST_MS) this.#restW = watts;
    this.#advance(toMs, watts, joules(from.watts, watts, toMs - from.atMs));
    return {
      fromMs: from.atMs,
      toMs,
      kind: "instant",
      joulesIn: (fromMs, untilMs) => joules(wattsAt(fromMs), wattsAt(untilMs), untilMs - fromMs),
    };
  }

  /** Spreads the energy of a mean over the time with and without requests. */
  #spread(meanW: number, toMs: number, busyMs: BusyMs): Stretch {
    const fromMs = this.#atMs;
    const restJ = Math.max(0, joules(meanW, meanW, toMs - this.#meanMs) - this.#sinceMeanJ);
    const busy = busyMs(fromMs, toMs);
    const idle = toMs - fromMs - busy;
    const levelW = (restJ * MS_PER_SECOND) / (toMs - fromMs);
    const idleW = busy > 0 ? Math.min(this.#restW ?? levelW, levelW) : levelW;
    const busyW = busy > 0 ? ((restJ - joules(idleW, idleW, idle)) * MS_PER_SECOND) / busy : levelW;
    if (busy > 0) this.#busyUntilMs = toMs;
    else if (this.#meanMs - this.#busyUntilMs > REST_MS) this.#restW = meanW;
    const isBusyAtEnd = busyMs(toMs - 1, toMs) > 0;
    this.#advance(toMs, isBusyAtEnd ? busyW : idleW, 0);
    this.#meanMs = toMs;
    this.#sinceMeanJ = 0;
    return {
      fromMs,
      toMs,
      kind: "mean",
      joulesIn: (from, to, isBusy) =>
        joules(isBusy ? busyW : idleW, isBusy ? busyW : idleW, to - from),
    };
  }

  #advance(toMs: number, watts: number, addedJ: number): void {
    this.#atMs = toMs;
    this.#watts = watts;
    this.#sinceMeanJ += addedJ;
  }
}

/** The energy of a power that changes linearly. */
const joules = (fromW: number, toW: number, ms: number): number =>
  (((fromW + toW) / 2) * ms) / MS_PER_SECOND;
