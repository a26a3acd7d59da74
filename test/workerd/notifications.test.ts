/**
 * Messages: each concern causes exactly one, and its end another one, whatever the receiver does. The
 * receiver is a real HTTP server; time is virtual.
 */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Events, EventsQuery } from "../../protocol/api/events.ts";
import { CONCERN_LASTS_S } from "../../protocol/concern-timing.ts";
import { CONCERN_CODES, type ConcernCode } from "../../protocol/concerns.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { helloOf } from "../support/records.ts";
import { AlertScene, pick, receiver, STEP_MS, scene } from "./alert-scene.ts";
import { freshAggregator } from "./fresh-aggregator.ts";
import { FAULTS } from "./planted-faults.ts";

/** In the future, so that the platform runs no alarm by itself. */
const NOW = Date.parse("2099-11-24T12:00:00Z");
const MINUTE_MS = 60_000;
const SECONDS_MS = 1_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  // A receiver that hangs is given up after a fiftieth of the time.
  const { timeout } = AbortSignal;
  vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => timeout.call(AbortSignal, ms / 50));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Told = { code: string }[];

/**
 * Returns the codes in the messages that a receiver got, one for each id.
 * @param except  codes that are left out
 */
async function messagesAt(
  { received }: ReturnType<typeof receiver>,
  except: readonly string[] = [],
): Promise<string[]> {
  const byId = Map.groupBy(await received(), ({ headers }) => headers["webhook-id"] ?? "");
  return [...byId.values()].flatMap((attempts) => {
    expect(new Set(attempts.map(({ body }) => body)).size, "a repetition is the same").toBe(1);
    const data = JSON.parse(attempts[0]?.body ?? "") as { opened: Told; closed: Told };
    const of = (name: string, told: Told) =>
      told.flatMap(({ code }) => (except.includes(code) ? [] : `${name} ${code}`));
    const codes = [...of("begins", data.opened), ...of("ends", data.closed)];
    return codes.length === 0 ? [] : codes.join(", ");
  });
}

/**
 * These are also sent to receivers that fail, hang or repeat an answer. The code that sends a message does
 * not know its concern, so the others need none of them.
 */
const SENT_TO_ALL: ReadonlySet<ConcernCode> = new Set([
  ...(["box_down", "gpu_lost", "gpu_hot", "gpu_throttled", "ollama_unreachable"] as const),
  ...(["model_on_cpu", "disk_filling", "clock_skew", "records_unsent"] as const),
]);
const BEHAVIOURS = ["works", "fails", "limits", "hangs", "breaks", "redirects", "twice"];
/** A receiver that works gets a message within a minute, and the end after another one. */
const TOLD_MS = 4 * MINUTE_MS;
/** The longest time that passes reading by reading. */
const PASSED_MS = 10 * MINUTE_MS;

test.each(CONCERN_CODES)("sends one message about %s, and one when it is over", async (code) => {
  const { begin, cause, heal, settings, beside } = FAULTS[code];
  const behaviours = SENT_TO_ALL.has(code) ? BEHAVIOURS : BEHAVIOURS.slice(0, 1);
  const receivers = behaviours.map((behaviour) => receiver(behaviour));
  const toldMs = behaviours.length > 1 ? 20 * MINUTE_MS : TOLD_MS;
  const lastsMs = CONCERN_LASTS_S[code] * SECONDS_MS;
  await scene(async (on) => {
    await begin?.(on);
    await on.pass(MINUTE_MS);
    for (const { kind, url } of receivers) await on.add({ kind, url });
    await on.pass(MINUTE_MS);
    await cause(on);
    await on.pass(MINUTE_MS);
    on.skip(Math.max(0, lastsMs - PASSED_MS));
    await on.pass(Math.min(PASSED_MS, lastsMs) + toldMs);
    await heal(on);
    await on.pass(toldMs);
  }, settings);
  for (const [index, each] of receivers.entries())
    expect(await messagesAt(each, beside), behaviours[index]).toEqual([
      `begins ${code}`,
      `ends ${code}`,
    ]);
});

test("a calm hour, a short cut and a restart of the agent cause no message", async () => {
  const calm = receiver("works");
  await scene(async (on) => {
    await on.add(pick(calm));
    await on.pass(60 * MINUTE_MS);
    on.aggregator.gone("atlas", Date.now());
    await on.pass(STEP_MS);
    on.aggregator.connected({ ...helloOf("atlas"), now_ms: Date.now() });
    await on.pass(20 * MINUTE_MS);
  });
  expect(await messagesAt(calm)).toEqual([]);
});

test("an alarm finds a box that went silent, although nothing else arrives", async () => {
  const target = receiver("works");
  await scene(async (on) => {
    await on.add(pick(target));
    await on.pass(MINUTE_MS);
    on.read = null;
    await on.pass(12 * MINUTE_MS);
  });
  expect(await messagesAt(target)).toEqual(["begins box_down"]);
});

test("a storm of twenty boxes is one message, and one that it is over", async () => {
  const target = receiver("works");
  const names = Array.from({ length: 20 }, (_, n) => `box-${n}`);
  await scene(async (on) => {
    await on.add(pick(target));
    const connect = () => {
      for (const name of names) on.aggregator.connected({ ...helloOf(name), now_ms: Date.now() });
    };
    connect();
    for (const name of names) on.aggregator.gone(name, Date.now());
    await on.pass(10 * MINUTE_MS);
    connect();
    await on.pass(4 * MINUTE_MS);
  });
  const messages = await messagesAt(target);
  expect(messages.map((each) => each.split(", ").length)).toEqual([20, 20]);
});

test("a concern of a simulated box is remembered, and causes no message", async () => {
  const target = receiver("works");
  const kinds = await scene(async (on) => {
    on.aggregator.connected({ ...helloOf("atlas", { simulated: true }), now_ms: Date.now() });
    await on.add(pick(target));
    on.read = null;
    on.aggregator.gone("atlas", Date.now());
    await on.pass(10 * MINUTE_MS);
    const query = EventsQuery.parse({ kind: "concern_opened,concern_closed" });
    return Events.parse(on.aggregator.events(query)).events.map(({ code, text }) => [code, text]);
  });
  expect(kinds).toMatchObject([["box_down", expect.stringContaining("Box atlas has been down")]]);
  expect(await messagesAt(target)).toEqual([]);
});

test("messages and incidents survive a restart of the Aggregator", async () => {
  const target = receiver("fails");
  await runInDurableObject(await freshAggregator(), async (aggregator: Aggregator, state) => {
    const before = new AlertScene(aggregator, state);
    await before.add(pick(target));
    before.read = null;
    aggregator.gone("atlas", Date.now());
    await before.pass(MINUTE_MS);
    const { env } = aggregator as unknown as { env: ConstructorParameters<typeof Aggregator>[1] };
    const after = new AlertScene(new Aggregator(state, env), state);
    after.read = null;
    await after.pass(10 * MINUTE_MS);
  });
  expect(await messagesAt(target)).toEqual(["begins box_down"]);
});

test("shows a target without its address, and the test message reports the failure", async () => {
  const broken = receiver("nowhere");
  await scene(async (on) => {
    const { id } = await on.add({ ...pick(broken), name: "Pager" });
    expect((await on.aggregator.targets({ act: "test", id })).result).toEqual({
      delivered: false,
      error: "it answered with status 404",
    });
    const { result } = await on.aggregator.targets({ act: "list" });
    expect(result).toMatchObject([
      { id, name: "Pager", host: new URL(broken.url).host, waiting: 0 },
    ]);
    expect(JSON.stringify(result)).not.toContain("nowhere");
    expect((await on.aggregator.targets({ act: "remove", id })).result).toBe(true);
    expect((await on.aggregator.targets({ act: "test", id })).result).toBeNull();
  });
});
