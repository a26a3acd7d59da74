/** What a suite found: figures, and whether what was promised holds. */

/**
 * `kept`, `BROKEN`: a promise; a broken one fails the run. `reached`, `missed`: a goal for something that is
 * measured; the machine has a say in it. `not run`: something that is needed cannot be had here.
 */
export type Finding = {
  /** Of the table in the goals, e.g. `R7`. */
  id: string;
  what: string;
  goal: string;
  got: string;
  verdict: "kept" | "BROKEN" | "reached" | "missed" | "not run";
  /** What broke it, one a line. */
  problems: readonly string[];
};

export const promise = (
  id: string,
  what: string,
  goal: string,
  got: string,
  problems: readonly string[],
): Finding => ({
  id,
  what,
  goal,
  got,
  verdict: problems.length === 0 ? "kept" : "BROKEN",
  problems,
});

export const measured = (
  id: string,
  what: string,
  goal: string,
  got: string,
  isReached: boolean,
): Finding => ({
  id,
  what,
  goal,
  got,
  verdict: isReached ? "reached" : "missed",
  problems: [],
});

export const notRun = (id: string, what: string, why: string): Finding => ({
  id,
  what,
  goal: "",
  got: why,
  verdict: "not run",
  problems: [],
});

/** p50, p99 and the greatest. */
export function spreadOf(values: readonly number[]): {
  p50: number;
  p99: number;
  max: number;
  said: string;
} {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN);
  const [p50, p99, max] = [at(0.5), at(0.99), at(1)];
  return {
    p50,
    p99,
    max,
    said: `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms (n=${values.length})`,
  };
}

export function tableOf(findings: readonly Finding[]): string {
  const rows = findings.map(({ id, verdict, what, goal, got }) => [id, verdict, what, goal, got]);
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

/** What broke, at most so many lines of each. */
export const problemsOf = (findings: readonly Finding[], max = 20): string =>
  findings
    .flatMap(({ id, problems }) => [
      ...problems.slice(0, max).map((problem) => `${id}: ${problem}`),
      ...(problems.length > max ? [`${id}: and ${problems.length - max} more`] : []),
    ])
    .join("\n");
