/**
 * The newest calls, from which hidden damage shows.
 *
 * In memory only, and bounded. The first reader has them read again from the newest rows of the ledger.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import { cachedTokensOf, type PromptRead } from "../answers/damage/cached-prompts.ts";
import { CallFields, type FinishedCall, finishedCallOf, placeOf } from "../answers/damage/calls.ts";
import { type ExpiredLoad, expiredLoadsOf, REPLAY_HOURS } from "../answers/damage/cold-starts.ts";
import { type Damage, damageOf } from "../answers/damage/damage.ts";
import { alone, decodeRateOf, medianOf } from "../answers/damage/slow.ts";
import type { Around } from "../answers/explanation.ts";
import type { Ledger } from "./ledger.ts";

const CALLS_MAX = 5_000;
/** Rows that a start reads. More would keep the object from calls for longer. */
const ROWS = 2_000;
/** The shortest time between two computations. */
const EVERY_MS = 10_000;
/** A busy model leaves one rate of this time behind, so that these cover hours. */
const RATE_EVERY_MS = 30_000;
const RATES_MAX = 200;
const PLACES_MAX = 200;
const LOADS_MAX = 2_000;
const LOADS_KEPT_MS = REPLAY_HOURS * 3_600_000;
/** Fewer rates are no usual rate. */
const RATES_MIN = 20;

type Nearby = Pick<Around, "beside" | "usedMs" | "tokensPerSecond" | "cachedTokens">;

export class RecentCalls {
  readonly #ledger: Pick<Ledger, "newest">;
  /** In order of arrival; null before the first reader. */
  #calls: FinishedCall[] | null = null;
  /** Rates of calls that are no longer kept, by model and box. */
  readonly #older = new Map<string, { atMs: number; rates: number[] }>();
  /** Loads before the calls that are kept, oldest first. */
  #olderLoads: ExpiredLoad[] = [];
  #computed: { atMs: number; damage: Damage } | null = null;

  constructor(ledger: Pick<Ledger, "newest">) {
    this.#ledger = ledger;
  }

  add(record: RequestRecord): void {
    if (this.#calls === null) return;
    const call = finishedCallOf(record);
    if (call === null) return;
    this.#calls.push(call);
    if (this.#calls.length >= 2 * CALLS_MAX) this.#age(this.#calls.splice(0, CALLS_MAX));
  }

  damage(nowMs: number): Damage {
    const known = this.#computed;
    if (known !== null && nowMs >= known.atMs && nowMs - known.atMs < EVERY_MS) return known.damage;
    this.#calls ??= this.#read();
    const rates = new Map([...this.#older].map(([place, each]) => [place, each.rates]));
    this.#olderLoads = this.#olderLoads.filter(({ endMs }) => nowMs - endMs <= LOADS_KEPT_MS);
    const damage = damageOf(this.#calls, { rates, loads: this.#olderLoads }, nowMs);
    this.#computed = { atMs: nowMs, damage };
    return damage;
  }

  /** Returns what the kept calls show about the time of another one. Null where none of them does. */
  around(call: Pick<FinishedCall, "box" | "model" | "startMs"> & PromptRead): Nearby {
    const { box, model, startMs } = call;
    this.#calls ??= this.#read();
    const onBox = this.#calls.filter((other) => other.box === box);
    const ofModel = onBox.filter((other) => other.model === model);
    const before = ofModel.filter(({ endMs }) => endMs <= startMs);
    const single = alone(ofModel);
    const rates = single.flatMap((other) => decodeRateOf(other)?.rate ?? []);
    const isKept = onBox.some((other) => other.startMs <= startMs);
    const beside = ofModel.filter((other) => other.startMs < startMs && other.endMs > startMs);
    return {
      beside: isKept ? beside.length : null,
      usedMs: before.length === 0 ? null : Math.max(...before.map(({ endMs }) => endMs)),
      tokensPerSecond: rates.length < RATES_MIN ? null : medianOf(rates),
      cachedTokens: cachedTokensOf(call, single),
    };
  }

  clear(): void {
    this.#calls = null;
    this.#older.clear();
    this.#olderLoads = [];
    this.#computed = null;
  }

  #age(calls: readonly FinishedCall[]): void {
    this.#olderLoads = [...this.#olderLoads, ...expiredLoadsOf(calls)].slice(-LOADS_MAX);
    for (const [place, ofModel] of Map.groupBy(calls, placeOf))
      for (const { call, rate } of alone(ofModel).flatMap((each) => decodeRateOf(each) ?? [])) {
        const kept = this.#older.get(place) ?? { atMs: 0, rates: [] };
        if (call.endMs - kept.atMs < RATE_EVERY_MS) continue;
        const rates = [...kept.rates.slice(1 - RATES_MAX), rate];
        this.#older.delete(place);
        this.#older.set(place, { atMs: call.endMs, rates });
      }
    for (const place of this.#older.keys())
      if (this.#older.size > PLACES_MAX) this.#older.delete(place);
  }

  #read(): FinishedCall[] {
    return this.#ledger.newest(ROWS).flatMap((row) => finishedCallOf(CallFields.parse(row)) ?? []);
  }
}
