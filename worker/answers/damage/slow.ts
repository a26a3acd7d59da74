/** Models that produce tokens much slower than they usually do on their box. Pure. */
import { type FinishedCall, placeOf } from "./calls.ts";

export type Slow = {
  box: string;
  model: string;
  tokens_per_second: number;
  median_tokens_per_second: number;
  /** Other models worked beside most of these calls. */
  has_neighbour: boolean;
};

export const SLOW_MINUTES = 10;
/** A slower median than this part of the usual one is not the length of contexts. */
const SLOW_PART = 0.6;
const NOW_MIN = 5;
const USUAL_MIN = 20;
/** Fewer tokens are mostly the first one. */
const TOKENS_MIN = 16;

/**
 * @param calls  ones beside others of the same model are left out, since they share its rate
 * @param older  rates of calls before these, by {@link placeOf}
 */
export function slowOf(
  calls: readonly FinishedCall[],
  older: ReadonlyMap<string, readonly number[]>,
  nowMs: number,
): Slow[] {
  return [...Map.groupBy(calls, placeOf)].flatMap(([place, ofModel]) => {
    const rated = alone(ofModel).flatMap((call) => decodeRateOf(call) ?? []);
    const isNow = ({ endMs }: FinishedCall) => nowMs - endMs <= SLOW_MINUTES * 60_000;
    const now = rated.filter(({ call }) => isNow(call));
    const usual = rated.filter(({ call }) => !isNow(call)).map(({ rate }) => rate);
    const before = [...(older.get(place) ?? []), ...usual];
    const first = now[0]?.call;
    if (first === undefined || now.length < NOW_MIN || before.length < USUAL_MIN) return [];
    const [current, median] = [medianOf(now.map(({ rate }) => rate)), medianOf(before)];
    if (current > SLOW_PART * median) return [];
    const others = calls.filter(
      (call) => call.box === first.box && call.model !== first.model && isNow(call),
    );
    const beside = now.filter(({ call }) => others.some((other) => overlaps(call, other)));
    return [
      {
        ...{ box: first.box, model: first.model, tokens_per_second: current },
        median_tokens_per_second: median,
        has_neighbour: 2 * beside.length >= now.length,
      },
    ];
  });
}

/** Returns the tokens a second of a call; null if it shows none. */
export function decodeRateOf(call: FinishedCall): { call: FinishedCall; rate: number } | null {
  const { completion_tokens: tokens, decode_ms } = call;
  if (tokens === null || decode_ms === null || decode_ms === 0 || tokens < TOKENS_MIN) return null;
  return { call, rate: (1_000 * tokens) / decode_ms };
}

/** Returns the calls of a model that overlap no other one of it. */
export function alone(ofModel: readonly FinishedCall[]): FinishedCall[] {
  const sorted = ofModel.toSorted((a, b) => a.startMs - b.startMs);
  let endMs = Number.NEGATIVE_INFINITY;
  return sorted.filter((call, i) => {
    const isFree = call.startMs >= endMs && (sorted[i + 1]?.startMs ?? Infinity) >= call.endMs;
    endMs = Math.max(endMs, call.endMs);
    return isFree;
  });
}

const overlaps = (a: FinishedCall, b: FinishedCall): boolean =>
  a.startMs < b.endMs && b.startMs < a.endMs;

/** @param values  at least one */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [a = 0, b = a] = [sorted[middle], sorted[sorted.length % 2 === 0 ? middle - 1 : middle]];
  return (a + b) / 2;
}
