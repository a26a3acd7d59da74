/**
 * Weekly summaries: one message a week for each target that wants it, whatever its receiver does. The
 * receiver is a real HTTP server; time is virtual.
 */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { helloOf, recordOf } from "../support/records.ts";
import { AlertScene, receiver, scene } from "./alert-scene.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

/** In the future, so that the platform runs no alarm by itself. A Tuesday. */
const NOW = Date.parse("2099-11-24T12:00:00Z");
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Eight o'clock in Berlin. */
const MONDAYS = ["2099-11-30T07:00:00Z", "2099-12-07T07:00:00Z", "2099-12-14T07:00:00Z"].map(
  (iso) => Date.parse(iso),
);
const WEEKLY = { time_zone: "Europe/Berlin" };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const { timeout } = AbortSignal;
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout.call(AbortSignal, ms / 50));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Data = { type: string; from: string; to: string; requests: { requests: number } };

/** Returns the summaries that a receiver got, one for each id. */
async function summariesAt({ received }: ReturnType<typeof receiver>): Promise<Data[]> {
  const byId = Map.groupBy(await received(), ({ headers }) => headers["webhook-id"] ?? "");
  return [...byId.values()].flatMap((attempts) => {
    expect(new Set(attempts.map(({ body }) => body)).size, "a repetition is the same").toBe(1);
    const data = JSON.parse(attempts[0]?.body ?? "") as Data;
    // A box that was quiet between two times was down.
    return data.type === "weekly_summary" ? data : [];
  });
}

/** Lets the box be quiet until a time, and the minutes before and after it pass. */
async function passUntil(on: AlertScene, atMs: number): Promise<void> {
  vi.setSystemTime(atMs - 2 * MINUTE_MS);
  await on.pass(15 * MINUTE_MS);
}

const BEHAVIOURS = ["works", "fails", "limits", "hangs", "breaks", "redirects", "twice"];

test("each receiver gets one summary a week, whatever it does", async () => {
  const receivers = BEHAVIOURS.map((behaviour) => receiver(behaviour));
  const without = receiver("works");
  await scene(async (on) => {
    for (const { kind, url } of receivers) await on.add({ kind, url, weekly: WEEKLY });
    await on.add({ kind: without.kind, url: without.url });
    await on.pass(MINUTE_MS);
    for (const [week, mondayMs] of MONDAYS.entries()) {
      const records = Array.from({ length: 7 + week }, (_, n) =>
        recordOf(Date.now() - 1_000, {}, 100 * week + n),
      );
      await on.aggregator.ingest(records);
      await passUntil(on, mondayMs);
    }
  });
  for (const [index, each] of receivers.entries()) {
    const summaries = await summariesAt(each);
    expect(
      summaries.map(({ type, to, requests }) => [type, Date.parse(to), requests.requests]),
      BEHAVIOURS[index],
    ).toEqual(MONDAYS.map((mondayMs, week) => ["weekly_summary", mondayMs, 7 + week]));
  }
  expect(await without.received()).toEqual([]);
});

test("a restart around the time neither loses nor doubles a summary", async () => {
  const target = receiver("fails");
  await runInDurableObject(await freshAggregator(), async (aggregator: Aggregator, state) => {
    const before = new AlertScene(aggregator, state);
    await before.add({ kind: target.kind, url: target.url, weekly: WEEKLY });
    vi.setSystemTime((MONDAYS[0] ?? 0) - 15_000);
    await before.pass(15_000);
    const { env } = aggregator as unknown as { env: ConstructorParameters<typeof Aggregator>[1] };
    const after = new AlertScene(new Aggregator(state, env), state);
    await after.pass(2 * HOUR_MS);
  });
  expect((await summariesAt(target)).map(({ type }) => type)).toEqual(["weekly_summary"]);
});

test("a target that is changed gets summaries from then on, and none after it is changed back", async () => {
  const target = receiver("works");
  const { kind, url } = target;
  await scene(async (on) => {
    const { id } = await on.add({ kind, url });
    const edit = (weekly: object | null) =>
      on.aggregator.targets({
        act: "change",
        id,
        edit: { weekly: weekly === null ? null : { day: "monday", hour: 8, ...WEEKLY } },
      });
    await passUntil(on, MONDAYS[0] ?? 0);
    expect((await edit(WEEKLY)).result).toMatchObject({ weekly: { day: "monday", hour: 8 } });
    await on.pass(10 * MINUTE_MS);
    await passUntil(on, MONDAYS[1] ?? 0);
    expect((await edit(null)).result).toMatchObject({ weekly: null });
    await passUntil(on, MONDAYS[2] ?? 0);
    const unknown = await on.aggregator.targets({ act: "change", id: "none", edit: {} });
    expect(unknown.result).toBeNull();
  });
  expect((await summariesAt(target)).map(({ to }) => Date.parse(to))).toEqual([MONDAYS[1]]);
});

test("names the worst hour and explains it", async () => {
  const target = receiver("works");
  await scene(async (on) => {
    await on.add({ kind: target.kind, url: target.url, weekly: WEEKLY });
    const fromMs = (MONDAYS[0] ?? 0) - 20 * HOUR_MS;
    vi.setSystemTime(fromMs + 3 * HOUR_MS);
    const isSlow = (atMs: number) => atMs >= fromMs + HOUR_MS && atMs < fromMs + 1.8 * HOUR_MS;
    const records = Array.from({ length: 150 }, (_, n) => {
      const atMs = fromMs + n * MINUTE_MS;
      const tokens = isSlow(atMs) ? 1_000 : 100;
      const figures = { completion_tokens: tokens, decode_ms: 10 * tokens };
      return recordOf(atMs, { ...figures, latency_ms: 250 + 10 * tokens }, n);
    });
    await on.aggregator.ingest(records);
    await passUntil(on, MONDAYS[0] ?? 0);
  });
  const [summary] = await summariesAt(target);
  expect(summary).toMatchObject({
    requests: { requests: 150 },
    worst_hour: {
      latency: "rose",
      text: expect.stringMatching(
        /^P95 rose from 1\.3 s to 10 s at 13:00 on 2099-11-29 and was over at 13:4\d: answers of llama3\.2:latest had 1000 tokens instead of 100/,
      ),
    },
  });
});

test("simulated boxes cause no summary, and no alarm again and again", async () => {
  const target = receiver("works");
  await scene(async (on) => {
    on.aggregator.connected({ ...helloOf("atlas", { simulated: true }), now_ms: Date.now() });
    await on.add({ kind: target.kind, url: target.url, weekly: WEEKLY });
    await passUntil(on, MONDAYS[0] ?? 0);
    const alarm = vi.spyOn(on.aggregator, "alarm");
    await on.pass(30 * MINUTE_MS);
    expect(alarm.mock.calls.length).toBeLessThan(3);
  });
  expect(await target.received()).toEqual([]);
});
