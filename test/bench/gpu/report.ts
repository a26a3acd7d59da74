/** The report of `npm run bench:gpu`, for people. Pure. */
import { type GpuEnergy, joulesIn } from "../../../protocol/gpu-energy.ts";
import { median, round } from "../figures.ts";

/** A request by its record, beside the counter, and beside what Ollama and the caller measured. */
export type Compared = {
  name: string;
  /** When Ollama had it, unix ms. */
  from_ms: number;
  to_ms: number;
  /** Time before, in the queue of the agent. */
  waited_ms: number;
  counted_j: number;
  recorded_j: number | null;
  method: string | null;
  /** The record has other counts of tokens than Ollama's answer. */
  tokens_differ: boolean;
  /** The larger difference of prefill and decode from Ollama's own durations; NaN if one is unknown. */
  phases_off_ms: number;
  /** The caller's time to the first part of the answer, minus that of the record. */
  first_later_ms: number;
};

export type Integral = {
  counted_j: number;
  seconds: number;
  /** The growth of the meter's totals in the same time. */
  metered: GpuEnergy;
};

/** Shorter requests depend on when the counter moved. */
const COMPARED_SECONDS_MIN = 0.9;

const secondsOf = ({ from_ms, to_ms }: Compared): number => (to_ms - from_ms) / 1_000;

const signed = (value: number): string => `${value > 0 ? "+" : ""}${value.toFixed(1)} %`;

const errorOf = ({ counted_j, recorded_j }: Compared): number | null =>
  recorded_j === null ? null : 100 * (recorded_j / counted_j - 1);

export function comparedTable(requests: readonly Compared[]): string {
  const rows = requests.map((request) => {
    const error = errorOf(request);
    return [
      request.name,
      `${secondsOf(request).toFixed(1)} s`,
      `${Math.round(request.counted_j)} J`,
      request.recorded_j === null ? "null" : `${Math.round(request.recorded_j)} J`,
      error === null ? "" : signed(error),
      request.method ?? "",
      request.waited_ms === 0 ? "" : `waited ${(request.waited_ms / 1_000).toFixed(1)} s before`,
    ];
  });
  const table = [["", "lasted", "counter", "record", "error", "method", ""], ...rows];
  return table
    .map((row) =>
      row
        .map((cell) => cell.padEnd(12))
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

export function energyLines(requests: readonly Compared[], integral: Integral): string[] {
  const single = requests.filter((request) => secondsOf(request) >= COMPARED_SECONDS_MIN);
  const errors = single.map(errorOf).filter((error) => error !== null);
  const within = errors.filter((error) => Math.abs(error) <= 10).length;
  const known = requests.filter(({ recorded_j }) => recorded_j !== null);
  const sum = (of: (request: Compared) => number) =>
    known.reduce((total, request) => total + of(request), 0);
  const total = sum((request) => request.recorded_j ?? 0) / sum(({ counted_j }) => counted_j);
  const whole = integralError(integral);
  return [
    `requests of 1 s and more: ${within} of ${single.length} within 10 % of the counter` +
      (errors.length === 0
        ? ""
        : `, mean ${(errors.reduce((all, error) => all + Math.abs(error), 0) / errors.length).toFixed(1)} %, ` +
          `worst ${signed(errors.toSorted((a, b) => Math.abs(a) - Math.abs(b)).at(-1) ?? 0)}`),
    `sum of ${known.length} requests: ${known.length === 0 ? "unknown" : signed(100 * (total - 1))} (${requests.length - known.length} unknown)`,
    `requests and idle: ${whole === null ? "unknown" : signed(whole)} of ${Math.round(integral.counted_j)} J in ${Math.round(integral.seconds)} s`,
  ];
}

/**
 * Returns by how much the totals of the meter differ from the counter, in percent. Both were read while
 * no request was open, but not at the same moment: the power of that time fills the difference.
 */
function integralError({ counted_j, seconds, metered }: Integral): number | null {
  const { active, loaded, idle } = metered;
  const restSeconds = loaded.seconds + idle.seconds;
  if (restSeconds === 0) return null;
  const restW = (loaded.joules + idle.joules) / restSeconds;
  const missing = seconds - (restSeconds + active.seconds);
  return 100 * ((joulesIn(metered) + missing * restW) / counted_j - 1);
}

export function recordLines(requests: readonly Compared[]): string[] {
  const differ = requests.filter(({ tokens_differ }) => tokens_differ).length;
  const off = requests.map(({ phases_off_ms }) => phases_off_ms);
  const known = off.filter((value) => !Number.isNaN(value));
  const later = requests
    .map(({ first_later_ms }) => first_later_ms)
    .filter((value) => !Number.isNaN(value));
  return [
    `tokens: ${differ} of ${requests.length} records differ from Ollama's answer`,
    `prefill and decode: at most ${Math.max(0, ...known).toFixed(3)} ms from Ollama's durations (${off.length - known.length} unknown)`,
    later.length === 0
      ? "time to first token: unknown"
      : `time to first token: the caller had it ${round(median(later))} ms later than the record has it (median)`,
  ];
}
