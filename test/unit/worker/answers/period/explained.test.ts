/** Explanations of periods whose causes are planted. */
import { describe, expect, test } from "vitest";
import { type CauseKind, PeriodExplanation } from "../../../../../protocol/api/explanation.ts";
import type { NearEvent } from "../../../../../worker/answers/period/surroundings.ts";
import {
  CHANGED_AT,
  PERIOD_FROM,
  type Planted,
  plantedRecords,
} from "../../../../support/planted-period.ts";
import { recordOf } from "../../../../support/records.ts";
import { periodExplanation } from "./planted.ts";

const SEEDS = 10;
const MINUTE = 60_000;

/** The first cause that each explanation must name, and its sentence. */
const PLANTED: [cause: Planted, kind: CauseKind, text: RegExp][] = [
  [
    "models",
    "reloads",
    /at 14:0[5-7]: (mistral|llama3.2):latest and .* alternate on atlas, \d\d reloads/,
  ],
  ["contexts", "reloads", /llama3.2:latest alternates on atlas between contexts of .*8192/],
  [
    "pauses",
    "cold_starts",
    /had to be loaded on atlas, \d+ loads, mostly after pauses of about \d+ min/,
  ],
  [
    "traffic",
    "queue",
    /waited for a free slot on atlas: [23]\d.* requests a minute instead of \d.*, most of them by batch/,
  ],
  [
    "slow_gpu",
    "slow_answers",
    /llama3.2:latest wrote 1[78].* tokens\/s on atlas instead of (59|60)/,
  ],
  [
    "long_answers",
    "long_answers",
    /answers of llama3.2:latest had .*, most of the long ones by essay/,
  ],
  [
    "long_prompts",
    "long_prompts",
    /prompts for llama3.2:latest had .*, most of the long ones by rag/,
  ],
  ["large_model", "other_model", /llama3.3:70b answered [67]\d % of the requests instead of 0 %/],
  ["failed_box", "moves", /\d+ requests moved on from basil, which had failed/],
  [
    "tunnel",
    "tunnel",
    /the way through the tunnel of atlas took (2\.9|3|3\.1) s instead of (29|30|31) ms/,
  ],
  ["over", "reloads", /at 14:0[5-7] and was over at 14:2[3-6]: /],
];

describe.each(PLANTED)("a rise by %s", (cause, kind, text) => {
  test(`is explained by ${kind}, from the minute in which it began`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const explained = periodExplanation(plantedRecords(cause, seed));
      expect(PeriodExplanation.parse(explained)).toEqual(explained);
      const { latency, causes, changed_from, changed_to } = explained;
      // So few requests may end before five of them were slow.
      if (cause === "pauses" && changed_from === null) continue;
      expect(latency, `seed ${seed}`).toBe("rose");
      const [first, ...others] = causes;
      expect(first?.kind, `seed ${seed}: ${explained.text}`).toBe(kind);
      expect(first?.share, `seed ${seed}`).toBeGreaterThan(0.6);
      expect(others, `seed ${seed}: ${explained.text}`).toEqual([]);
      expect(explained.text, `seed ${seed}`).toMatch(text);
      const beganMs = Date.parse(changed_from ?? "");
      expect(Math.abs(beganMs - CHANGED_AT), `seed ${seed}`).toBeLessThan(
        cause === "pauses" ? 15 * MINUTE : 3 * MINUTE,
      );
      expect(changed_to !== null, `seed ${seed}`).toBe(cause === "over");
    }
  });
});

test("a period that is as usual has no cause", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { latency, causes, text } = periodExplanation(plantedRecords("none", seed));
    expect([latency, causes], `seed ${seed}: ${text}`).toEqual(["steady", []]);
    expect(text).toMatch(/^P95 was 2\.\d s \(much as before: 2\.\d s\)\.$/);
  }
});

test("failures are named although the times are as usual", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { latency, causes, text } = periodExplanation(plantedRecords("failures", seed));
    expect([latency, causes.map(({ kind }) => kind)], text).toEqual(["steady", ["failures"]]);
    expect(text).toMatch(/\d+ of \d+ requests failed \(0 % before\), most in Ollama of atlas\.$/);
  }
});

const eventOf = (rest: Partial<NearEvent>): NearEvent => ({
  ...{ kind: "concern_opened", box: "atlas", model: null, count: 1, code: null, sinceMs: null },
  ...{ atMs: CHANGED_AT, lastMs: rest.atMs ?? CHANGED_AT },
  ...rest,
});

test.each<[name: string, cause: Planted, events: Partial<NearEvent>[], text: string]>([
  ["a hot GPU", "slow_gpu", [{ code: "gpu_hot" }], ": a GPU was hot ("],
  [
    "a concern that was over before",
    "slow_gpu",
    [
      { code: "gpu_hot", atMs: PERIOD_FROM - 30 * MINUTE },
      { kind: "concern_closed", code: "gpu_hot", atMs: PERIOD_FROM - 20 * MINUTE },
    ],
    " instead of 5",
  ],
  ["a concern of another box", "slow_gpu", [{ code: "gpu_hot", box: "basil" }], " instead of 5"],
  [
    "a restart of Ollama",
    "pauses",
    [{ kind: "ollama_back", atMs: CHANGED_AT + 10 * MINUTE }],
    " after its Ollama was started again (",
  ],
])("adds %s to the cause, if it was there", (_name, cause, events, text) => {
  const explained = periodExplanation(plantedRecords(cause, 1), events.map(eventOf));
  expect(explained.text).toContain(text);
  if (text.startsWith(" instead")) expect(explained.text).not.toContain("GPU");
});

test("names a cut tunnel for requests that waited at the edge", () => {
  const waiting = plantedRecords("failed_box", 1).map((each) => ({ ...each, moved_from: null }));
  const cut = eventOf({ kind: "tunnel_back", count: 3 });
  expect(periodExplanation(waiting, [cut]).text).toContain(
    "requests for atlas waited at the edge while its tunnel was cut 3 times (",
  );
  expect(periodExplanation(waiting).text).toContain("requests for atlas waited at the edge (");
});

test("an explanation of one key names what another key did to it", () => {
  const { text, during } = periodExplanation(plantedRecords("traffic", 2), [], { key: "app" });
  expect(text).toContain("most of them by batch");
  expect(during.requests).toBeLessThan(200);
});

test.each<[name: string, requests: number, text: RegExp]>([
  ["nothing", 0, /^No model answered a request in this period\.$/],
  ["one request", 1, /^1 request, too few for a P95; half of them took at most 1\.3 s\.$/],
  [
    "nothing before",
    30,
    /^P95 was 1\.3 s; there are too few requests before to compare it with\.$/,
  ],
])("a period with %s has no cause", (_name, requests, text) => {
  const records = Array.from({ length: requests }, (_, n) =>
    recordOf(PERIOD_FROM + n * MINUTE, {}, n),
  );
  const explained = periodExplanation(records);
  expect(explained).toMatchObject({ latency: "unknown", causes: [], changed_from: null });
  expect(explained.text).toMatch(text);
});

test("a P95 that differs a little is not called the same", () => {
  const records = Array.from({ length: 120 }, (_, n) =>
    recordOf(PERIOD_FROM + (n - 60) * MINUTE, { latency_ms: n < 60 ? 1_000 : 1_300 }, n),
  );
  const { latency, text } = periodExplanation(records);
  expect([latency, text]).toEqual(["steady", "P95 was 1.3 s (before: 1 s)."]);
});

test("a P95 that fell has no cause", () => {
  const records = Array.from({ length: 120 }, (_, n) =>
    recordOf(PERIOD_FROM + (n - 60) * MINUTE, { latency_ms: n < 60 ? 4_800 : 1_200 }, n),
  );
  const { latency, causes, text } = periodExplanation(records);
  expect([latency, causes, text]).toEqual(["fell", [], "P95 fell from 4.8 s to 1.2 s."]);
});
