/** The labels of a time axis, in the viewer's time zone. Pure. */
import { timeFormat } from "./format.ts";

/**
 * Formats the labels of a time axis.
 * @param stepSeconds  time between two labels; decides whether they show days, minutes or seconds
 */
export function timeLabels(
  seconds: readonly number[],
  stepSeconds: number,
  zone?: string,
): string[] {
  const text = (name: "day" | "minute" | "clock", at: number) =>
    timeFormat(name, zone).format(1_000 * at);
  const day = (at: number) => text("day", at);
  if (stepSeconds >= 86_400) return seconds.map(day);
  // The first label of each new day shows the date.
  return seconds.map((at, index) => {
    const before = seconds[index - 1];
    const isNewDay = before !== undefined && day(before) !== day(at);
    return isNewDay ? day(at) : text(stepSeconds < 60 ? "clock" : "minute", at);
  });
}

/** In seconds. From a day on, midnight of the viewer is on the axis. */
const STEPS = [
  ...[10, 30, 60, 300, 900, 1_800, 3_600, 7_200, 21_600, 43_200],
  ...[1, 2, 7, 14, 28].map((days) => 86_400 * days),
] as const;

/**
 * Returns round moments of a time axis, such as whole hours, in Unix seconds.
 * @param most           at most this many, unless the time is longer than any chart
 * @param offsetSeconds  by how much the viewer's clock is ahead of UTC
 */
export function roundTimes(
  from: number,
  until: number,
  most: number,
  offsetSeconds: number,
): { times: number[]; step: number } {
  const step = STEPS.find((each) => (until - from) / each <= most) ?? STEPS.at(-1) ?? 1;
  const times: number[] = [];
  const first = Math.ceil((from + offsetSeconds) / step) * step - offsetSeconds;
  for (let time = first; time < until; time += step) times.push(time);
  return { times, step };
}
