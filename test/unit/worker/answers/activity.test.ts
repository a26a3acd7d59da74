import { expect, test } from "vitest";
import { Activity, ActivityQuery, type ActivitySplit } from "../../../../protocol/api/activity.ts";
import { activitySpan, GatheredActivity } from "../../../../worker/answers/activity.ts";
import { isoOf } from "../../../../worker/answers/figures.ts";
import { endOf } from "../../../../worker/answers/history.ts";
import { Cell } from "../../../../worker/counting/cell.ts";
import { recordOf } from "../../../support/records.ts";

const NOW = Date.parse("2026-11-27T15:17:30.000Z");
const WEEK_SECONDS = 7 * 86_400;
const at = (time: string): number => Date.parse(`2026-11-27T${time}Z`) / 1_000;
const spanOf = (fields: object) => activitySpan(ActivityQuery.parse(fields), NOW, WEEK_SECONDS);

test.each<[query: object, step: number, buckets: number]>([
  [{}, 60, 61],
  [{ seconds: 300 }, 10, 30],
  [{ seconds: 900 }, 10, 90],
  [{ seconds: 21_600 }, 300, 73],
  [{ seconds: 86_400 }, 900, 97],
  [{ seconds: 86_400, key: "caller" }, 3_600, 25],
  [{ seconds: 86_400, split: "key" }, 3_600, 25],
  [{ seconds: 3_600, split: "key" }, 60, 61],
  [{ seconds: 604_800 }, 10_800, 57],
  [{ seconds: 31_536_000 }, 604_800, 53],
  [{ since: "2026-11-27T15:09:00Z", until: "2026-11-27T15:17:00Z" }, 10, 48],
  // Three weeks ago there are only hours.
  [{ since: "2026-11-06T10:20:00Z", until: "2026-11-06T12:10:00Z" }, 3_600, 3],
  [{ since: "2027-01-01T00:00:00Z" }, 10, 1],
])("divides the period of %j into buckets of %i s", (query, step, buckets) => {
  const span = spanOf(query);
  expect([span.granularity, span.buckets]).toEqual([step, buckets]);
  expect(span.from % step).toBe(0);
});

test("rejects a period that is given twice, or ends before it begins", () => {
  const both = { seconds: 60, since: "2026-11-27T15:09:00Z" };
  const reversed = { since: "2026-11-27T15:09:00Z", until: "2026-11-27T15:08:00Z" };
  for (const query of [both, reversed, { seconds: 5 }])
    expect(ActivityQuery.safeParse(query).success).toBe(false);
});

const SPAN = spanOf({ since: "2026-11-27T15:10:00Z", until: "2026-11-27T15:14:00Z" });

test("counts requests over time, in groups and by latency, with the energy of the whole period", () => {
  const gathered = gather();
  const one = cellOf({ latency_ms: 100, energy_j: 36, completion_tokens: 100 });
  const failed = cellOf({ status: "error", latency_ms: 5, energy_j: null });
  for (const [time, cell, group] of [
    ["15:10:00", one, "llama3.2"],
    ["15:10:10", failed, "llama3.2"],
    ["15:10:10", one, "mistral"],
    ["15:13:50", cellOf({ latency_ms: 9_000, energy_j: null }), null],
    ["15:14:00", one, "after the period"],
    ["15:09:50", one, "before the period"],
  ] as const) {
    gathered.add(at(time), cell);
    gathered.addTo("model", group, at(time), cell);
  }
  const answer = parsed(gathered);
  expect(answer.total).toMatchObject({
    requests: 4,
    errors: 1,
    error_rate: 0.25,
    requests_per_minute: 1,
    energy_j: 72,
    energy_j_per_1k_tokens: 360,
    cost: null,
  });
  expect(answer.points.slice(0, 3).map(({ requests }) => requests)).toEqual([1, 2, 0]);
  expect(answer.points[2]).toMatchObject({
    error_rate: null,
    latency_p95_ms: null,
    energy_j: null,
  });
  expect(
    answer.groups.model?.map(({ group, total, errors, energy_j }) => [
      group,
      total,
      errors,
      energy_j,
    ]),
  ).toEqual([
    ["llama3.2", 2, 1, 36],
    ["mistral", 1, 0, 36],
    [null, 1, 0, null],
  ]);
  expect(answer.groups.model?.[0]?.requests.slice(0, 3)).toEqual([1, 1, 0]);
  const { bounds_ms = [], counts = [] } = answer.latencies ?? {};
  expect([bounds_ms[0], bounds_ms[1], bounds_ms.at(-1)]).toEqual([90.51, 128, 11_585.24]);
  expect(counts.map((bands) => bands.indexOf(1)).filter((band) => band >= 0)).toEqual([0, 0, 13]);
});

test("counts requests outside of every group as one more group", () => {
  const gathered = gather("key");
  for (const each of [1, 2, 3]) gathered.add(at(`15:10:${each}0`), cellOf({ energy_j: 10 }));
  gathered.addTo("key", "k1", at("15:10:10"), cellOf({ energy_j: 10 }));
  const groups = parsed(gathered, () => "Alice").groups.key;
  expect(groups?.map(({ group, name, total, energy_j }) => [group, name, total, energy_j])).toEqual(
    [
      [null, null, 2, 20],
      ["k1", "Alice", 1, 10],
    ],
  );
  expect(groups?.[0]?.requests.slice(0, 4)).toEqual([0, 0, 1, 1]);
});

test("adds up the groups after the tenth", () => {
  const gathered = gather();
  for (let n = 0; n < 12; n++)
    for (let times = 0; times <= n; times++) {
      gathered.add(at("15:10:00"), cellOf({}));
      gathered.addTo("model", `model-${n}`, at("15:10:00"), cellOf({}));
    }
  const { groups: all, total } = parsed(gathered);
  const groups = all.model;
  expect(groups?.length).toBe(11);
  expect(groups?.[0]?.group).toBe("model-11");
  expect(groups?.at(-1)).toMatchObject({ group: null, is_rest: true, total: 3 });
  expect(groups?.reduce((sum, each) => sum + each.total, 0)).toBe(total.requests);
});

test("divides rates by the time since counting began, and has no latencies without requests", () => {
  const sinceMs = 1_000 * at("15:13:00");
  const young = new GatheredActivity({ span: SPAN, nowMs: NOW, sinceMs, currency: "EUR" }, []);
  young.add(at("15:13:10"), cellOf({ status: "error" }));
  const answer = parsed(young);
  expect(answer.total.requests_per_minute).toBe(1);
  expect(answer.groups).toEqual({ model: null, box: null, key: null });
  expect(answer.latencies?.bounds_ms).toEqual([]);
});

const gather = (split: ActivitySplit = "model") =>
  new GatheredActivity(
    { span: SPAN, nowMs: NOW, sinceMs: 1_000 * at("01:00:00"), currency: null },
    [split],
  );

function cellOf(fields: Parameters<typeof recordOf>[1]): Cell {
  const cell = new Cell();
  cell.add(recordOf(NOW, fields), NOW);
  return cell;
}

const parsed = (
  gathered: GatheredActivity,
  nameOf: (key: string) => string | null = () => null,
): Activity =>
  Activity.parse({
    from: isoOf(1_000 * SPAN.from),
    to: isoOf(1_000 * endOf(SPAN)),
    step_seconds: SPAN.granularity,
    store: "durable_object",
    ...gathered.counted(nameOf),
  });

test("also counts the time before the edge from which an agent reports requests", () => {
  const sinceMs = 1_000 * at("15:13:05");
  const totalOf = (time: string) => {
    const plan = { span: SPAN, nowMs: NOW, sinceMs, currency: null };
    const gathered = new GatheredActivity(plan, []);
    gathered.add(at(time), cellOf({ completion_tokens: 110 }));
    return gathered.counted(() => null).total;
  };
  // From 15:12:10 to the end at 15:14.
  expect(totalOf("15:12:10").tokens_per_second).toBe(1);
  // In the bucket in which counting began: 55 s.
  expect(totalOf("15:13:00").tokens_per_second).toBe(2);
});
