/** The deciders against a trace whose causes are known: precision and recall, for each concern. */
import { expect, test } from "vitest";
import { Concern } from "../../../../../protocol/concern.ts";
import { DAY_MS } from "../../../../../protocol/day.ts";
import { expiredLoadsOf } from "../../../../../worker/answers/damage/cold-starts.ts";
import { damageConcerns } from "../../../../../worker/answers/damage/concerns.ts";
import { damageOf, NO_OLDER_CALLS } from "../../../../../worker/answers/damage/damage.ts";
import { boxOf } from "../../../dashboard/live.ts";
import { CAUSES, type Cause, EXPECTED, NOW, traceOf } from "./labelled-trace.ts";

const SEEDS = 40;

const namedIn = (cause: Cause, seed: number): Concern[] =>
  damageConcerns(boxOf({}), damageOf(traceOf(cause, seed), NO_OLDER_CALLS, NOW), false);

test("each concern has a precision and a recall of at least 0.95, and calm days have none", () => {
  const counts = new Map<string, { right: number; wrong: number; missed: number }>();
  const countOf = (code: string) => {
    const count = counts.get(code) ?? { right: 0, wrong: 0, missed: 0 };
    counts.set(code, count);
    return count;
  };
  const mistakes: string[] = [];
  for (const cause of CAUSES)
    for (let seed = 1; seed <= SEEDS; seed++) {
      const named = namedIn(cause, seed);
      for (const concern of named) expect(Concern.parse(concern)).toEqual(concern);
      const codes = new Set<string>(named.map(({ code }) => code));
      for (const code of codes)
        if (EXPECTED[cause].includes(code)) countOf(code).right++;
        else {
          countOf(code).wrong++;
          mistakes.push(`${cause} ${seed}: ${code}`);
        }
      for (const code of EXPECTED[cause])
        if (!codes.has(code)) {
          countOf(code).missed++;
          mistakes.push(`${cause} ${seed}: no ${code}`);
        }
    }
  for (const code of ["models_reloading", "cold_starts", "prompts_truncated", "model_slow"]) {
    const { right, wrong, missed } = countOf(code);
    expect(right / (right + wrong), `precision of ${code}: ${mistakes}`).toBeGreaterThanOrEqual(
      0.95,
    );
    expect(right / (right + missed), `recall of ${code}: ${mistakes}`).toBeGreaterThanOrEqual(0.95);
  }
  const calm = mistakes.filter((mistake) => /^(calm|busy|sparse) /.test(mistake));
  expect(calm).toEqual([]);
});

const paramsOf = (cause: Cause) => namedIn(cause, 1)[0]?.params;

test("names the two that alternate, with their contexts and keys", () => {
  expect(paramsOf("contexts")).toMatchObject({
    pair: expect.arrayContaining([
      { model: "llama3.2:latest", context_length: 4_096, key: "app" },
      { model: "llama3.2:latest", context_length: 8_192, key: "other" },
    ]),
  });
});

test("names the keep-alive that would have saved the loads", () => {
  const params = paramsOf("short_keep_alive");
  expect(params).toMatchObject({ keep_alive_s: 1_800, key: "app", holding_wh: null });
});

test("the replay covers the loads of a week, of which only those of a day raise the concern", () => {
  const day = traceOf("short_keep_alive", 1);
  const older = expiredLoadsOf(day).map((load) => ({
    ...load,
    startMs: load.startMs - 5 * DAY_MS,
    endMs: load.endMs - 5 * DAY_MS,
    gapMs: load.gapMs / 3,
  }));
  const alone = damageOf(day, NO_OLDER_CALLS, NOW).coldStarts[0];
  const [week] = damageOf(day, { ...NO_OLDER_CALLS, loads: older }, NOW).coldStarts;
  expect(week).toMatchObject({ loads: alone?.loads, lost_ms: alone?.lost_ms });
  expect(alone?.replay_hours).toBe(24);
  expect(week?.replay_hours).toBeGreaterThan(5 * 24);
  expect(week?.replay_loads).toBe((alone?.replay_loads ?? 0) + older.length);
  expect(week?.saved_loads).toBeGreaterThan(alone?.saved_loads ?? 0);
  expect(week?.saved_wh).toBeGreaterThan(alone?.saved_wh ?? 0);
  expect(damageOf([], { ...NO_OLDER_CALLS, loads: older }, NOW).coldStarts).toEqual([]);
});

test("names the traffic beside a slow model", () => {
  expect(paramsOf("neighbour")).toMatchObject({ cause: "neighbour" });
  expect(paramsOf("slow")).toMatchObject({ cause: "unknown" });
});

test.each([
  ["heat", { gpus: ["sw_thermal_slowdown", "sw_power_cap"] }],
  ["power", { gpus: ["sw_power_cap"] }],
  ["power", { gpus: ["hw_power_brake_slowdown"] }],
] as const)("a slow model has the cause %s if a GPU shows %j", (cause, { gpus }) => {
  const box = boxOf({});
  const gpu = { ...box.gpus[0], throttle_reasons: [...gpus] } as (typeof box.gpus)[number];
  const damage = damageOf(traceOf("slow", 1), NO_OLDER_CALLS, NOW);
  const [concern] = damageConcerns({ ...box, gpus: [gpu] }, damage, false);
  expect(concern?.params).toMatchObject({ cause });
});
