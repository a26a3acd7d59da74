/** Each kind of data is kept as long as the settings state, and deleted by the alarm. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { Config } from "../../protocol/api/config.ts";
import { EventsQuery } from "../../protocol/api/events.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { recordOf } from "../support/records.ts";
import { logsQuery } from "./aggregator-queries.ts";
import { ADMIN, bearer, call, keys } from "./keyed-edge.ts";

const HOURS = 3_600_000;

test("keeps each kind of data as long as the settings state", async () => {
  const settings = {
    RETENTION_LOGS_DAYS: "2",
    RETENTION_TEXTS_HOURS: "3",
    RETENTION_EVENTS_DAYS: "1",
    RETENTION_SAMPLES_HOURS: "2",
    RETENTION_AUDIT_DAYS: "30",
  };
  const stub = env.AGGREGATOR.getByName(`kept-${crypto.randomUUID()}`);
  await runInDurableObject(stub, async (_, state) => {
    const aggregator = new Aggregator(state, { ...env, ...settings });
    const now = Date.now();
    await aggregator.ingest([
      recordOf(now - 2.5 * DAY_MS),
      recordOf(now - 2 * HOURS),
      recordOf(now - 4 * HOURS), // late: its text is not stored
    ]);
    const at = (ms: number) => vi.setSystemTime(now + ms);
    const texts = async () =>
      (await aggregator.logs(logsQuery())).logs.map(({ prompt }) => prompt !== null);
    const events = () => aggregator.events(EventsQuery.parse({})).events;
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      expect(await texts()).toEqual([true, false, false]);
      expect(await state.storage.getAlarm()).toBeLessThanOrEqual(now + 3 * HOURS + 60_000);
      at(1);
      await aggregator.alarm();
      expect(await texts()).toEqual([true, false]);
      at(1.5 * HOURS);
      await aggregator.alarm();
      expect(await texts()).toEqual([false, false]);
      expect((await aggregator.current()).total_requests).toBe(3);
      expect(events()).not.toEqual([]); // the version of the edge
      at(1.5 * DAY_MS);
      await aggregator.alarm();
      expect(events()).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("the configuration shows the retention of each kind of data", async () => {
  const retentionWith = async (settings: Record<string, string>) => {
    const answer = await call("/api/config", { headers: bearer(ADMIN) }, keys(settings as never));
    return Config.parse(await answer.json()).retention;
  };
  expect(await retentionWith({})).toMatchObject({
    logs_days: 7,
    texts_hours: 168,
    samples_hours: 24,
    events_days: null,
    audit_days: 400,
    stores: null,
  });
  const set = {
    RETENTION_LOGS_DAYS: "30",
    RETENTION_TEXTS_HOURS: "12",
    RETENTION_EVENTS_DAYS: "90",
    RETENTION_SAMPLES_HOURS: "48",
    RETENTION_AUDIT_DAYS: "365",
  };
  expect(await retentionWith(set)).toMatchObject({
    logs_days: 30,
    texts_hours: 12,
    samples_hours: 48,
    events_days: 90,
    audit_days: 365,
  });
});
