/** Boxes and their machines: their storage, and their routes in `/api`. */
import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Boxes } from "../../protocol/api/fleet.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { SYSTEM_RANGES, System, SystemHistory, SystemPoint } from "../../protocol/api/system.ts";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { Readings } from "../../protocol/inventory.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { SampleStore } from "../../worker/aggregator/samples.ts";
import { MIGRATIONS } from "../../worker/aggregator/schema.ts";
import { systemSpanOf } from "../../worker/answers/system-history.ts";
import type { BoxStatuses } from "../../worker/registered-box.ts";
import { gpuOf, helloOf, readingsOf, systemOf } from "../support/records.ts";
import { FakeAgent } from "./fake-agent.ts";

const LIVE: BoxStatuses = [{ name: "atlas", up: true, in_flight: 2, queue_depth: 1 }];
const SECOND_MS = 1_000;
const GIB = 2 ** 30;

test("storage of an older version keeps its boxes, its samples and those in the outbox", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const {
    system: _,
    now_ms: __,
    ...readings
  } = readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now)]);
  await runInDurableObject(aggregator, async (_instance: Aggregator, { storage }) => {
    await storage.deleteAll();
    storage.sql.exec(MIGRATIONS[0] ?? "");
    storage.sql.exec(
      "CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID",
    );
    storage.sql.exec("INSERT INTO meta VALUES ('schema_version', 1), ('created_at_ms', 1000)");
    storage.sql.exec(
      "INSERT INTO boxes VALUES ('atlas', 'up', ?, ?, ?, ?, ?, ?, ?, ?)",
      JSON.stringify(helloOf("atlas")),
      now,
      now,
      JSON.stringify(readings),
      now,
      now,
      JSON.stringify([gpuOf("atlas", now, { utilization_percent: 20 })]),
      now,
    );
    storage.sql.exec(
      "INSERT INTO gpu VALUES (?, 'atlas', ?)",
      now,
      JSON.stringify([gpuOf("atlas", now, { utilization_percent: 60 })]),
    );
  });
  await evictDurableObject(aggregator);
  expect(await aggregator.since()).toBe(1_000);
  expect((await aggregator.gpu()).gpu_count).toBe(1);
  expect((await aggregator.boxes(LIVE)).boxes).toMatchObject([
    { name: "atlas", models: [{ name: "llama3.2:latest" }], system: null },
  ]);
  expect(newestOf(await historyOf(aggregator))).toMatchObject({
    gpu_utilization_percent: 40,
    cpu_percent: null,
  });
  await aggregator.read("atlas", readingsOf(now, [], [], [], [systemOf(now)]));
  await evictDurableObject(aggregator);
  expect(newestOf(await historyOf(aggregator))).toMatchObject({
    gpu_utilization_percent: 40,
    cpu_percent: 25,
  });
});

test("samples are stored as one row a batch, and shown before they are stored", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const readings = (from: number, count: number, model: string) => {
    const times = Array.from({ length: count }, (_, n) => now - (from - n) * 10 * SECOND_MS);
    return readingsOf(
      now,
      [model],
      times.map((at) => gpuOf("atlas", at)),
      [],
      times.map((at) => systemOf(at)),
    );
  };
  const written = await runInDurableObject(
    aggregator,
    async (instance: Aggregator, { storage }) => {
      const changes = () => Number(storage.sql.exec("SELECT total_changes() AS n").one().n);
      await instance.read("atlas", readings(200, 140, "a:latest"));
      const before = changes();
      await instance.read("atlas", readings(60, 10, "a:latest"));
      return changes() - before;
    },
  );
  // One row for the batch, and one for the box.
  expect(written).toBe(2);
  expect(await batchSizes(aggregator)).toEqual([{ gpu: 150, system: 150 }]);
  await aggregator.read("atlas", readings(50, 50, "b:latest"));
  const span = systemSpanOf(SYSTEM_RANGES["1h"], 120, now);
  const history = await aggregator.systemHistory(span);
  const sampled = history.filter(({ cpu_percent }) => cpu_percent !== null).length;
  expect(sampled).toBeGreaterThanOrEqual((200 * 10) / 30 - 1);
  for (const { cpu_percent, gpu_utilization_percent } of history)
    expect([cpu_percent, gpu_utilization_percent]).toBeOneOf([
      [25, 75],
      [null, null],
    ]);
  await evictDurableObject(aggregator);
  expect(await aggregator.systemHistory(span)).toEqual(history);
});

test("a machine sampled every ten seconds costs one batch in ten minutes, at any pace of readings", async () => {
  const aggregator = await freshAggregator();
  await aggregator.read(
    "atlas",
    readingsOf(0, ["llama3.2:latest"], [], [], [systemOf(Date.now())]),
  );
  for (let n = 0; n < 20; n++)
    await aggregator.read(
      "atlas",
      readingsOf(0, ["llama3.2:latest"], [], [], [systemOf(Date.now())]),
    );
  expect(await batchSizes(aggregator)).toEqual([]);
  expect(newestOf(await historyOf(aggregator))?.memory_total_gb).toBe(64);
  // Stored samples have a time at which they are deleted.
  expect(
    await runInDurableObject(aggregator, (_, { storage }) => storage.getAlarm()),
  ).not.toBeNull();
});

test("stores a fifth of the samples of a GPU that is read every two seconds", async () => {
  const aggregator = await freshAggregator();
  const start = Math.floor(Date.now() / 10_000) * 10_000 - 3_600 * SECOND_MS;
  const samples = Array.from({ length: 1_500 }, (_, n) =>
    gpuOf("atlas", start + n * 2 * SECOND_MS),
  );
  for (let n = 0; n < samples.length; n += 75)
    await aggregator.read("atlas", readingsOf(0, ["llama3.2:latest"], samples.slice(n, n + 75)));
  expect(await batchSizes(aggregator)).toEqual([{ gpu: 300, system: 0 }]);
  expect((await aggregator.gpu()).gpus[0]?.timestamp).toBe(samples.at(-1)?.at);
});

test("samples get the right time from a clock that is an hour wrong", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const ahead = now + 3_600 * SECOND_MS;
  const readings: Readings = {
    ...readingsOf(
      now,
      [],
      [gpuOf("atlas", ahead)],
      [],
      [systemOf(ahead - 40 * SECOND_MS), systemOf(ahead)],
    ),
    now_ms: ahead,
  };
  await aggregator.read("atlas", readings);
  const system = System.parse(await aggregator.system(LIVE));
  expect(Math.abs(Date.parse(system.boxes[0]?.timestamp ?? "") - Date.now())).toBeLessThan(5_000);
  const sampled = (await historyOf(aggregator)).filter(({ cpu_percent }) => cpu_percent !== null);
  expect(sampled).toHaveLength(2);
  const [skew] = (await aggregator.boxes(LIVE)).boxes.map(({ clock_skew_ms }) => clock_skew_ms);
  expect(Math.abs((skew ?? 0) - 3_600 * SECOND_MS)).toBeLessThan(5_000);
});

test("reads back a day of a box with eight GPUs, with every bucket full", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await runInDurableObject(aggregator, (_instance: Aggregator, { storage }) => {
    const store = new SampleStore(storage.sql);
    const samples = 24 * 360;
    for (let from = 0; from < samples; from += 33) {
      const times = Array.from(
        { length: 33 },
        (_, n) => now - (samples - from - n) * 10 * SECOND_MS,
      );
      const gpu = times.flatMap((at) =>
        Array.from({ length: 8 }, (_, index) =>
          gpuOf("atlas", at, { index, uuid: `GPU-${index}` }),
        ),
      );
      store.put(times.at(-1) ?? now, {
        box: "atlas",
        gpu,
        system: times.map((at) => systemOf(at)),
      });
    }
  });
  const points = await historyOf(aggregator, "24h", 500);
  expect(points).toHaveLength(480);
  for (const point of points.slice(1, -1)) {
    expect(point).toMatchObject({
      cpu_percent: 25,
      vram_total_gb: 192,
      power_draw_w: 2_240,
      queue_depth: 1,
      gpu_temperature_celsius: 65,
    });
  }
});

test("history covers all boxes together, or one", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.connected(helloOf("basil"));
  await aggregator.read("atlas", readingsOf(now, [], [], [], [systemOf(now)]));
  await aggregator.read(
    "basil",
    readingsOf(now, [], [], [], [systemOf(now, { memory_total_bytes: 16 * GIB })]),
  );
  const newest = async (box?: string) =>
    newestOf(await historyOf(aggregator, "5m", 120, box))?.memory_total_gb;
  expect([await newest(), await newest("basil"), await newest("nobody")]).toEqual([
    80,
    16,
    undefined,
  ]);
});

const call = async (path: string) => exports.default.fetch(`http://localhost${path}`);
const answerOf = async (path: string): Promise<unknown> => {
  const answer = await call(path);
  expect(answer.status, path).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  return answer.json();
};

/** Connects an agent that has sent readings. */
async function connected(box: string, readings: Readings): Promise<FakeAgent> {
  const agent = await FakeAgent.connect(box);
  agent.send(tunnelFrame(FrameType.readings, readings));
  for (;;) {
    const { boxes } = Boxes.parse(await (await call(`/api/boxes?box=${box}`)).json());
    if (boxes[0]?.readings_at !== null) return agent;
  }
}

test("/api/boxes and /api/system show the agent's last readings", async () => {
  const now = Date.now();
  const readings = {
    ...readingsOf(now, ["llama3.2:latest"], [gpuOf("shown", now)], [], [systemOf(now)]),
    now_ms: now,
  };
  const half = {
    name: "llama3.2:latest",
    size_bytes: 4e9,
    size_vram_bytes: 2e9,
    context_length: 4_096,
    expires_at: null,
  };
  readings.inventory.loaded = [half, { ...half, name: "odd:1b", size_bytes: null }];
  const agent = await connected("shown", readings);
  const { boxes } = Boxes.parse(await answerOf("/api/boxes?box=shown"));
  expect(boxes).toHaveLength(1);
  expect(boxes[0]).toMatchObject({
    name: "shown",
    state: "up",
    simulated: false,
    last_seen: null,
    connected_at: expect.any(String),
    agent_version: "0.1.0",
    ollama_version: "0.13.0",
    ollama_reachable: true,
    ollama_error: null,
    models: [{ name: "llama3.2:latest", size_bytes: null }],
    loaded: [
      { ...half, gpu_share: 0.5 },
      { name: "odd:1b", gpu_share: null },
    ],
    in_flight: 0,
    queue_depth: 0,
    tunnel_ms: 30,
    spooled: 3,
    gpus: [{ box: "shown", utilization_percent: 75, driver_version: "570.1", simulated: false }],
    gpu_error: null,
    system: { cpu_percent: 25, queued: 1 },
  });
  expect(System.parse(await answerOf("/api/system?box=shown"))).toMatchObject({
    available: true,
    memory_used_gb: 16,
    boxes: [{ box: "shown" }],
  });
  const history = SystemHistory.parse(
    await answerOf("/api/system/history?time_range=5m&box=shown"),
  );
  expect(history).toMatchObject({ time_range: "5m", data_points: 15 });
  expect(history.data).toHaveLength(15);
  expect(newestOf(history.data)).toMatchObject({ queue_depth: 1, gpu_available: true });
  expect(Boxes.parse(await answerOf("/api/boxes")).boxes.map(({ name }) => name)).toContain(
    "shown",
  );

  agent.socket.close(1000);
  for (;;) {
    const { boxes: after } = Boxes.parse(await answerOf("/api/boxes?box=shown"));
    if (after[0]?.state !== "down") continue;
    expect(after[0]).toMatchObject({
      connected_at: null,
      last_seen: expect.any(String),
      models: [{ name: "llama3.2:latest" }],
      loaded: [],
      in_flight: null,
      queue_depth: null,
      tunnel_ms: null,
      spooled: null,
      gpus: [],
      gpu_error: "the box is not connected",
      system: null,
    });
    break;
  }
  expect(System.parse(await answerOf("/api/system?box=shown"))).toMatchObject({
    available: false,
    error: "shown: the box is not connected",
  });
});

test("an older agent, which sends no samples of its machine, keeps working", async () => {
  const { system: _, now_ms: __, ...old } = readingsOf(Date.now(), ["llama3.2:latest"]);
  await connected("older", old as Readings);
  expect(Boxes.parse(await answerOf("/api/boxes?box=older")).boxes[0]).toMatchObject({
    system: null,
    models: [{}],
    clock_skew_ms: expect.any(Number),
  });
  expect(System.parse(await answerOf("/api/system?box=older")).error).toMatch(
    /too old to sample the machine/,
  );
});

test.each<[path: string, status: number, code: string, message: RegExp]>([
  ["/api/system/history?time_range=2h", 400, "bad_request", /time_range/],
  [
    "/api/system/history?time_range=7d",
    400,
    "bad_request",
    /Without ClickHouse or Postgres samples are kept for a day/,
  ],
  [
    "/api/gpu/history?time_range=30d",
    400,
    "bad_request",
    /Without ClickHouse or Postgres samples are kept for a day/,
  ],
  ["/api/system/history?time_range=", 400, "bad_request", /time_range/],
  ["/api/system/history?max_points=9", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=501", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=12.5", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=many", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=10&max_points=20", 400, "bad_request", /twice/],
  ["/api/system/history?points=10", 400, "bad_request", /points/],
  ["/api/system/history?box=nobody", 404, "box_not_found", /no box named nobody/],
  ["/api/system?time_range=1h", 400, "bad_request", /time_range/],
  ["/api/system?box=nobody", 404, "box_not_found", /no box named nobody/],
  ["/api/system?box=a%20b", 400, "bad_request", /box name/],
  ["/api/boxes?box=nobody", 404, "box_not_found", /no box named nobody/],
  ["/api/boxes?box=", 400, "bad_request", /box name/],
  ["/api/boxes?state=up", 400, "bad_request", /state/],
  ["/api/gpu?box=nobody", 404, "box_not_found", /no box named nobody/],
])("%s returns %i %s", async (path, status, code, message) => {
  const answer = await call(path);
  const { error } = ApiError.parse(await answer.json());
  expect([answer.status, error.code, error.failed_at]).toEqual([status, code, "gateway"]);
  expect(error.message).toMatch(message);
});

test.each(["/api/boxes", "/api/system", "/api/system/history"])(
  "%s takes GET alone",
  async (path) => {
    const answer = await exports.default.fetch(`http://localhost${path}`, {
      method: "POST",
      body: "{}",
    });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
  },
);

let objects = 0;

/** Makes a separate Aggregator with one box. */
async function freshAggregator(): Promise<DurableObjectStub<Aggregator>> {
  const { AGGREGATOR } = env as unknown as { AGGREGATOR: DurableObjectNamespace<Aggregator> };
  const aggregator = AGGREGATOR.getByName(`system-test-${objects++}`);
  await aggregator.connected(helloOf("atlas"));
  await aggregator.read("atlas", readingsOf(Date.now(), ["llama3.2:latest"]));
  return aggregator;
}

async function historyOf(
  aggregator: DurableObjectStub<Aggregator>,
  range: keyof typeof SYSTEM_RANGES = "5m",
  maxPoints = 120,
  box?: string,
): Promise<SystemPoint[]> {
  const points = await aggregator.systemHistory(
    systemSpanOf(SYSTEM_RANGES[range], maxPoints, Date.now()),
    box,
  );
  return points.map((point) => SystemPoint.parse(point));
}

/** Returns the newest bucket with data: a new one may have started a moment ago. */
const newestOf = (points: readonly SystemPoint[]) =>
  points.findLast(({ gpu_available }) => gpu_available !== null);

/** Returns the number of samples in each stored batch. */
const batchSizes = (aggregator: DurableObjectStub<Aggregator>) =>
  runInDurableObject(aggregator, (_, { storage }) =>
    storage.sql
      .exec(
        "SELECT json_array_length(gpu) AS gpu, json_array_length(system) AS system FROM samples",
      )
      .toArray(),
  );
