/** The records of calls that moved from box to box: one counts, in whatever order they come. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import type { Move } from "../../protocol/moves.ts";
import { recordOf } from "../support/records.ts";
import { logsQuery } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const MOVES: Move[] = [{ box: "atlas", reason: "ollama_unreachable", ms: 12 }];
const FAILED = { box: "atlas", status: "error", http_status: 502, failed_at: "ollama" } as const;

test("the record of the last box counts, and that of the box before does not", async () => {
  for (const order of [
    ["failed", "last"],
    ["last", "failed"],
  ]) {
    const aggregator = await freshAggregator();
    const at = Date.now();
    await aggregator.moved(recordOf(at).request_id, MOVES);
    for (const which of order)
      await aggregator.ingest([recordOf(at, which === "failed" ? FAILED : { box: "basil" })], true);
    const { logs } = await aggregator.logs(logsQuery({}));
    expect(logs).toHaveLength(1);
    expect(logs[0]).toMatchObject({
      box: "basil",
      status: "success",
      route_reason: "failover",
      attempts: 2,
      moved_from: "atlas:ollama_unreachable:12ms",
    });
    expect((await aggregator.current()).total_requests).toBe(1);
  }
});

test("a note that arrives after that of a later move changes nothing", async () => {
  const aggregator = await freshAggregator();
  const at = Date.now();
  const { request_id } = recordOf(at);
  const later: Move = { box: "basil", reason: "http_500", ms: 5 };
  await aggregator.moved(request_id, [...MOVES, later]);
  await aggregator.moved(request_id, MOVES);
  await aggregator.ingest([recordOf(at, { ...FAILED, box: "basil" })], true);
  expect((await aggregator.logs(logsQuery({}))).total).toBe(0);
  await aggregator.ingest([recordOf(at, { box: "cedar" })], true);
  expect((await aggregator.logs(logsQuery({}))).logs[0]).toMatchObject({
    box: "cedar",
    attempts: 3,
    moved_from: "atlas:ollama_unreachable:12ms,basil:http_500:5ms",
  });
});

test("a move that was noted is known after a restart", async () => {
  const aggregator = await freshAggregator();
  const at = Date.now();
  await aggregator.moved(recordOf(at).request_id, MOVES);
  await evictDurableObject(aggregator);
  await aggregator.ingest([recordOf(at, FAILED)], true);
  expect((await aggregator.logs(logsQuery({}))).total).toBe(0);
  await aggregator.ingest([recordOf(at, { box: "basil" })], true);
  expect((await aggregator.logs(logsQuery({}))).logs[0]).toMatchObject({ attempts: 2 });
});

test("the record of a box before counts after a day without another one, without its texts", async () => {
  const aggregator = await freshAggregator();
  const at = Date.now();
  await aggregator.moved(recordOf(at).request_id, MOVES);
  await aggregator.ingest([recordOf(at, FAILED)], true);
  await runInDurableObject(aggregator, (_, { storage }) => {
    storage.sql.exec("UPDATE moves SET at_ms = at_ms - 86400000");
  });
  await evictDurableObject(aggregator);
  await aggregator.ingest([recordOf(at + 1)]);
  await runDurableObjectAlarm(aggregator);
  const { logs } = await aggregator.logs(logsQuery({}));
  expect(logs).toHaveLength(2);
  expect(logs[1]).toMatchObject({ box: "atlas", status: "error", prompt: null, response: null });
  await runInDurableObject(aggregator, (_, { storage }) => {
    expect(storage.sql.exec("SELECT * FROM moves").toArray()).toEqual([]);
  });
});
