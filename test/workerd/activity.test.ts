/** The activity of a period: from the stored sums, from the ledger, and by key. */
import { expect, test } from "vitest";
import { ActivityQuery } from "../../protocol/api/activity.ts";
import { activitySpan } from "../../worker/answers/activity.ts";
import { recordOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WEEK_SECONDS = 7 * 86_400;

/** Three requests of two keys, one without a key, and one of another day. */
async function usedEdge() {
  const aggregator = await freshAggregator();
  const nowMs = Date.now();
  const record = (agoMs: number, fields: Parameters<typeof recordOf>[1], n: number) =>
    recordOf(nowMs - agoMs, { latency_ms: 0, ...fields }, n);
  await aggregator.ingest([
    record(1_000, { key_id: "caller", model: "llama3.2" }, 1),
    record(2_000, { key_id: "caller", model: "mistral", box: "borealis" }, 2),
    record(3_000, { key_id: "admin", model: "llama3.2:latest", status: "error" }, 3),
    record(4_000, { key_id: null, model: "llama3.2" }, 4),
    record(30 * HOUR_MS, { key_id: "caller", model: "llama3.2" }, 5),
  ]);
  return async (fields: object) => {
    const query = ActivityQuery.parse(fields);
    const { total, groups, points } = await aggregator.activity(
      activitySpan(query, Date.now(), WEEK_SECONDS),
      query,
    );
    return {
      requests: total.requests,
      summed: points.reduce((sum, point) => sum + point.requests, 0),
      groups: Object.fromEntries(
        (query.split ?? []).map((split) => [
          split,
          groups[split]?.map(({ group, name, total }) => [group, name, total]),
        ]),
      ),
    };
  };
}

test.each([
  ["minutes, from the stored sums", 3_600],
  ["ten seconds, from the ledger", 600],
])("counts the requests of a period by model and box: %s", async (_, seconds) => {
  const activity = await usedEdge();
  expect(await activity({ seconds })).toEqual({ requests: 4, summed: 4, groups: {} });
  const { groups } = await activity({ seconds, split: "model,box" });
  expect(groups.model?.reduce((sum, [, , total]) => sum + Number(total), 0)).toBe(4);
  expect(groups.box).toEqual([
    ["atlas", null, 3],
    ["borealis", null, 1],
  ]);
});

test.each([
  ["ten seconds, from the ledger", 600, 4],
  ["minutes, from the ledger", 3_600, 4],
  ["hours, from the hours of keys", 86_400, 4],
  ["a week", 604_800, 5],
])("counts the requests of each key, and those without one: %s", async (_, seconds, all) => {
  const activity = await usedEdge();
  const { requests, summed, groups } = await activity({ seconds, split: "key" });
  expect([requests, summed]).toEqual([all, all]);
  expect(groups.key).toEqual([
    ["caller", "CALLER_KEY", all - 2],
    ["admin", "ADMIN_KEY", 1],
    [null, null, 1],
  ]);
  expect((await activity({ seconds, key: "caller" })).requests).toBe(all - 2);
});

test("counts a period that is over", async () => {
  const activity = await usedEdge();
  const iso = (agoHours: number) => new Date(Date.now() - agoHours * HOUR_MS).toISOString();
  expect((await activity({ since: iso(32), until: iso(28) })).requests).toBe(1);
  expect((await activity({ since: iso(20), until: iso(10) })).requests).toBe(0);
});
