/**
 * Messages: each fault causes exactly one, and its end another one, whatever the receiver does. The
 * receiver is a real HTTP server; time is virtual.
 */
import { runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Events, EventsQuery } from "../../protocol/api/events.ts";
import type { ConcernCode } from "../../protocol/concerns.ts";
import type { Readings } from "../../protocol/inventory.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { gpuOf, helloOf, recordOf, systemOf } from "../support/records.ts";
import { AlertScene, pick, receiver, STEP_MS, scene } from "./alert-scene.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

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

/** Returns the codes in the messages that a receiver got, one for each id. */
async function messagesAt({ received }: ReturnType<typeof receiver>): Promise<string[]> {
  const byId = Map.groupBy(await received(), ({ headers }) => headers["webhook-id"] ?? "");
  return [...byId.values()].map((attempts) => {
    expect(new Set(attempts.map(({ body }) => body)).size, "a repetition is the same").toBe(1);
    const data = JSON.parse(attempts[0]?.body ?? "") as { opened: Told; closed: Told };
    const of = (name: string, told: Told) => told.map(({ code }) => `${name} ${code}`);
    return [...of("begins", data.opened), ...of("ends", data.closed)].join(", ");
  });
}

type Fault = { cause: (scene: AlertScene) => void; heal: (scene: AlertScene) => void };

const reading = (change: (readings: Readings) => Partial<Readings>): Fault => ({
  cause: (scene) => {
    scene.read = (readings) => ({ ...readings, ...change(readings) });
  },
  heal: (scene) => {
    scene.read = (readings) => readings;
  },
});

const disk = (usedBytes: number) => [
  systemOf(Date.now(), { disk_total_bytes: 1_000, disk_used_bytes: usedBytes }),
];

const FAULTS: [code: ConcernCode, fault: Fault][] = [
  [
    "box_down",
    {
      cause: (scene) => {
        scene.read = null;
        scene.aggregator.gone("atlas", Date.now());
      },
      heal: (scene) => {
        scene.aggregator.connected({ ...helloOf("atlas"), now_ms: Date.now() });
        scene.read = (readings) => readings;
      },
    },
  ],
  [
    "gpu_lost",
    reading(({ gpu }) => ({
      gpu: { ...gpu, failed: true, error: "Unable to determine the device handle: GPU is lost" },
    })),
  ],
  [
    "gpu_hot",
    reading(({ gpu }) => ({
      gpu: {
        ...gpu,
        samples: [gpuOf("atlas", Date.now(), { utilization_percent: 3, temperature_c: 92 })],
      },
    })),
  ],
  [
    "gpu_throttled",
    reading(({ gpu }) => ({
      gpu: {
        ...gpu,
        samples: [
          gpuOf("atlas", Date.now(), { utilization_percent: 3, throttle_reasons: ["hw_slowdown"] }),
        ],
      },
    })),
  ],
  [
    "ollama_unreachable",
    reading(({ inventory }) => ({
      inventory: { ...inventory, reachable: false, error: "connection refused" },
    })),
  ],
  [
    "model_on_cpu",
    reading(({ inventory }) => ({
      inventory: {
        ...inventory,
        loaded: inventory.loaded.map((model) => ({
          ...model,
          size_bytes: 8e9,
          size_vram_bytes: 6e9,
        })),
      },
    })),
  ],
  ["disk_filling", reading(() => ({ system: disk(950) }))],
  ["clock_skew", reading(() => ({ now_ms: Date.now() - 3_600_000 }))],
  ["records_unsent", reading(() => ({ spooled: 5_000 }))],
];

const BEHAVIOURS = ["works", "fails", "limits", "hangs", "breaks", "redirects", "twice"];

test.each(FAULTS)(
  "sends one message about %s, and one when it is over, whatever the receiver does",
  async (code, fault) => {
    const receivers = BEHAVIOURS.map((behaviour) => receiver(behaviour));
    await scene(async (on) => {
      await on.pass(MINUTE_MS);
      for (const { kind, url } of receivers) await on.add({ kind, url });
      await on.pass(20 * MINUTE_MS);
      fault.cause(on);
      await on.pass(25 * MINUTE_MS);
      fault.heal(on);
      await on.pass(25 * MINUTE_MS);
    });
    for (const [index, each] of receivers.entries())
      expect(await messagesAt(each), BEHAVIOURS[index]).toEqual([`begins ${code}`, `ends ${code}`]);
  },
);

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

test("errors of callers cause a message, and end without any further request", async () => {
  const target = receiver("works");
  await scene(async (on) => {
    await on.add(pick(target));
    for (let minute = 0; minute < 8; minute++) {
      const records = Array.from({ length: 20 }, (_, n) =>
        recordOf(Date.now() - SECONDS_MS, { status: "error", latency_ms: 10 }, minute * 100 + n),
      );
      await on.aggregator.ingest(records, true);
      await on.pass(MINUTE_MS);
    }
    await on.pass(10 * MINUTE_MS);
  });
  expect(await messagesAt(target)).toEqual(["begins error_rate_high", "ends error_rate_high"]);
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
