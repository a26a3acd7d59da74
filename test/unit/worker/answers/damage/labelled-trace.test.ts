/** The deciders against a trace whose causes are known: precision and recall, for each concern. */
import { expect, test } from "vitest";
import type { Concern } from "../../../../../protocol/concern.ts";
import { DAY_MS } from "../../../../../protocol/day.ts";
import { expiredLoadsOf } from "../../../../../worker/answers/damage/cold-starts.ts";
import { damageConcerns } from "../../../../../worker/answers/damage/concerns.ts";
import { damageOf, NO_OLDER_CALLS } from "../../../../../worker/answers/damage/damage.ts";
import { boxOf } from "../../../dashboard/live.ts";
import { judgedTrace, precisionOf, recallOf, scoreTable } from "./judged-trace.ts";
import { type Cause, NOW, traceOf } from "./labelled-trace.ts";
import { PLANTED } from "./planted-causes.ts";

/** `SEEDS=100 npx vitest run --silent=false` with this file prints the table of docs/monitoring.md. */
const SEEDS = Number(process.env.SEEDS ?? 1);

test("each concern has a precision and a recall of at least 0.95, and calm hours have none", () => {
  const judged = judgedTrace(Array.from({ length: SEEDS }, (_, n) => n + 1));
  console.info(scoreTable(judged));
  for (const [code, score] of judged.scores) {
    expect(precisionOf(score), `precision of ${code}: ${judged.mistakes}`).toBeGreaterThanOrEqual(
      0.95,
    );
    expect(recallOf(score), `recall of ${code}: ${judged.mistakes}`).toBeGreaterThanOrEqual(0.95);
  }
  const planted = Object.values(PLANTED).flatMap(({ must }) => must);
  expect(new Set(judged.scores.keys())).toEqual(new Set(planted));
  expect(judged.mistakes.filter((mistake) => mistake.startsWith("calm"))).toEqual([]);
}, 600_000);

const namedIn = (cause: Cause): Concern[] =>
  damageConcerns(boxOf({}), damageOf(traceOf(cause, 1), NO_OLDER_CALLS, NOW), false);

const paramsOf = (cause: Cause) => namedIn(cause)[0]?.params;

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
