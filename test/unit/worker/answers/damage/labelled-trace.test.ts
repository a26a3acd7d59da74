/** The deciders against a trace whose causes are known: precision and recall, for each concern. */
import { expect, test } from "vitest";
import { Concern } from "../../../../../protocol/concern.ts";
import { damageConcerns } from "../../../../../worker/answers/damage/concerns.ts";
import { damageOf } from "../../../../../worker/answers/damage/damage.ts";
import { boxOf } from "../../../dashboard/live.ts";
import { CAUSES, type Cause, EXPECTED, NOW, traceOf } from "./labelled-trace.ts";

const SEEDS = 40;

const namedIn = (cause: Cause, seed: number): Concern[] =>
  damageConcerns(boxOf({}), damageOf(traceOf(cause, seed), new Map(), NOW), false);

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
  const damage = damageOf(traceOf("slow", 1), new Map(), NOW);
  const [concern] = damageConcerns({ ...box, gpus: [gpu] }, damage, false);
  expect(concern?.params).toMatchObject({ cause });
});
