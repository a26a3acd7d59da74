import { expect, test } from "vitest";
import { comparedRuns } from "../../../../worker/answers/bench.ts";
import { benchPointOf, benchRunOf, flat } from "../../../support/bench-results.ts";

const changesOf = (runs: Parameters<typeof comparedRuns>[0]) =>
  comparedRuns(runs).map(({ points }) => points.map(({ change }) => change));

test("compares each point with that of the run before, as a share", () => {
  const faster = benchPointOf({
    tokens_per_second: flat(110),
    ttft_ms: flat(25),
    prefill_tokens_per_second: flat(4_000),
    wh_per_1k_tokens: flat(0.4),
  });
  const [newest, older] = comparedRuns([benchRunOf(2, { points: [faster] }), benchRunOf(1)]);
  expect(newest?.previous_id).toBe(benchRunOf(1).id);
  const change = newest?.points[0]?.change;
  expect(change?.tokens_per_second).toBeCloseTo(0.1);
  expect(change?.ttft_ms).toBeCloseTo(-0.5);
  expect(change?.prefill_tokens_per_second).toBe(0);
  expect(change?.wh_per_1k_tokens).toBeCloseTo(-0.2);
  expect(older).toMatchObject({ previous_id: null, points: [{ change: null }] });
});

test.each([
  { what: "another box", other: { box: "basil" } },
  { what: "another model", other: { model: "llama3.2:1b" } },
  { what: "another length of the answer", other: { output_tokens: 64 } },
  { what: "another context", other: { points: [benchPointOf({ context: 1_024 })] } },
])("compares with no run of $what", ({ other }) => {
  expect(changesOf([benchRunOf(2), benchRunOf(1, other)])[0]).toEqual([null]);
});

test("finds the newest earlier run that has the context, and the model with or without its tag", () => {
  const runs = [
    benchRunOf(4, { model: "m" }),
    benchRunOf(3, { model: "m:latest", points: [benchPointOf({ context: 1_024 })] }),
    benchRunOf(2, { model: "m:latest", points: [benchPointOf({ tokens_per_second: flat(50) })] }),
    benchRunOf(1, { model: "m" }),
  ];
  const [newest] = comparedRuns(runs);
  expect(newest?.previous_id).toBe(benchRunOf(3).id);
  expect(newest?.points[0]?.change?.tokens_per_second).toBe(1);
});

test("the change of a figure is unknown if one of the two is unknown or 0", () => {
  const without = benchPointOf({ wh_per_1k_tokens: null, ttft_ms: flat(0) });
  const before = benchRunOf(1, { points: [without] });
  expect(changesOf([benchRunOf(2), before])[0]?.[0]).toMatchObject({
    wh_per_1k_tokens: null,
    ttft_ms: null,
    tokens_per_second: 0,
  });
  expect(changesOf([{ ...before, id: benchRunOf(2).id }, benchRunOf(1)])[0]?.[0]).toMatchObject({
    wh_per_1k_tokens: null,
    ttft_ms: -1,
  });
});
