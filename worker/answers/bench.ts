/** Compares the benches of boxes. Pure. */
import type { BenchChanges, ComparedRun } from "../../protocol/api/bench.ts";
import type { BenchFigure, BenchPoint, BenchRun } from "../../protocol/bench.ts";
import { withTag } from "../../protocol/inventory.ts";

/** Returns the newest runs with their changes against earlier ones. @param runs  newest first */
export const comparedRuns = (runs: readonly BenchRun[], limit = runs.length): ComparedRun[] =>
  runs.slice(0, limit).map((run, at) => {
    const earlier = runs
      .slice(at + 1)
      .filter(({ box, model }) => box === run.box && withTag(model) === withTag(run.model));
    return {
      ...run,
      previous_id: earlier[0]?.id ?? null,
      points: run.points.map((point) => ({
        ...point,
        change: changesOf(point, previousPoint(point, run, earlier)),
      })),
    };
  });

/** A point of another length of prompt or answer measures something else. */
const previousPoint = (
  { context }: BenchPoint,
  { output_tokens }: BenchRun,
  earlier: readonly BenchRun[],
): BenchPoint | null =>
  earlier
    .filter((run) => run.output_tokens === output_tokens)
    .flatMap(({ points }) => points)
    .find((point) => point.context === context) ?? null;

function changesOf(now: BenchPoint, before: BenchPoint | null): BenchChanges | null {
  if (before === null) return null;
  const change = (figure: BenchFigure): number | null => {
    const [from, to] = [before[figure]?.median, now[figure]?.median];
    return from === undefined || to === undefined || from === 0 ? null : to / from - 1;
  };
  return {
    tokens_per_second: change("tokens_per_second"),
    ttft_ms: change("ttft_ms"),
    prefill_tokens_per_second: change("prefill_tokens_per_second"),
    wh_per_1k_tokens: change("wh_per_1k_tokens"),
  };
}
