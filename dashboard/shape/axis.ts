/** The labels of a time axis, in the viewer's time zone. Pure. */

/**
 * Formats the labels of a time axis.
 * @param stepSeconds  time between two labels; decides whether they show days, minutes or seconds
 */
export function timeLabels(
  seconds: readonly number[],
  stepSeconds: number,
  zone?: string,
): string[] {
  const format = (at: number, options: Intl.DateTimeFormatOptions) =>
    new Date(at * 1_000).toLocaleString("en-GB", { ...options, timeZone: zone });
  const day = (at: number) => format(at, { day: "numeric", month: "short" });
  if (stepSeconds >= 86_400) return seconds.map(day);
  const clock: Intl.DateTimeFormatOptions = {
    hour: "2-digit",
    minute: "2-digit",
    ...(stepSeconds < 60 && { second: "2-digit" }),
  };
  // The first label of each new day shows the date.
  return seconds.map((at, index) => {
    const before = seconds[index - 1];
    return before !== undefined && day(before) !== day(at) ? day(at) : format(at, clock);
  });
}
