/** The findings of a suite: its figures, and whether each promise holds. */

/**
 * `kept` and `BROKEN` judge a promise; a broken one fails the run. `reached` and `missed` judge a
 * goal for a measurement, which also depends on the machine. `not run` means that this machine
 * lacks something the check needs.
 */
export type Finding = {
  /** The id in the table of goals, for example `R7`. */
  id: string;
  subject: string;
  goal: string;
  got: string;
  verdict: "kept" | "BROKEN" | "reached" | "missed" | "not run";
  /** Reasons why the promise is broken, one a line. */
  problems: readonly string[];
};

export const promise = (
  id: string,
  subject: string,
  goal: string,
  got: string,
  problems: readonly string[],
): Finding => ({
  id,
  subject,
  goal,
  got,
  verdict: problems.length === 0 ? "kept" : "BROKEN",
  problems,
});

export const measured = (
  id: string,
  subject: string,
  goal: string,
  got: string,
  isReached: boolean,
): Finding => ({
  id,
  subject,
  goal,
  got,
  verdict: isReached ? "reached" : "missed",
  problems: [],
});

export const notRun = (id: string, subject: string, why: string): Finding => ({
  id,
  subject,
  goal: "",
  got: why,
  verdict: "not run",
  problems: [],
});

/** Formats p50, p99 and the maximum. */
export function spreadOf(values: readonly number[]): {
  p50: number;
  p99: number;
  max: number;
  text: string;
} {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN);
  const [p50, p99, max] = [at(0.5), at(0.99), at(1)];
  return {
    p50,
    p99,
    max,
    text: `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms (n=${values.length})`,
  };
}

export function tableOf(findings: readonly Finding[]): string {
  const rows = findings.map(({ id, verdict, subject, goal, got }) => [
    id,
    verdict,
    subject,
    goal,
    got,
  ]);
  const table = [["", "", "fault", "goal", "got"], ...rows];
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return lines.join("\n");
}

/** Lists the reasons, with a maximum number of lines for each finding. */
export const problemsOf = (findings: readonly Finding[], max = 20): string =>
  findings
    .flatMap(({ id, problems }) => [
      ...problems.slice(0, max).map((problem) => `${id}: ${problem}`),
      ...(problems.length > max ? [`${id}: and ${problems.length - max} more`] : []),
    ])
    .join("\n");
