/** The samples of boxes and their machines, in the storage of the Aggregator. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { SYSTEM_RANGES, System, SystemPoint } from "../../protocol/api/system.ts";
import type { Readings } from "../../protocol/inventory.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { SampleStore } from "../../worker/aggregator/samples.ts";
import { MIGRATIONS } from "../../worker/aggregator/schema.ts";
import { systemSpanOf } from "../../worker/answers/system-history.ts";
import { gpuOf, helloOf, readingsOf, systemOf } from "../support/records.ts";
import { newestOf } from "./calls.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

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
  expect(await aggregator.countedSince()).toBe(1_000);
  expect((await aggregator.gpu()).gpu_count).toBe(1);
  expect((await aggregator.boxes()).boxes).toMatchObject([
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
  const system = System.parse(await aggregator.system());
  expect(Math.abs(Date.parse(system.boxes[0]?.timestamp ?? "") - Date.now())).toBeLessThan(5_000);
  const sampled = (await historyOf(aggregator)).filter(({ cpu_percent }) => cpu_percent !== null);
  expect(sampled).toHaveLength(2);
  const [skew] = (await aggregator.boxes()).boxes.map(({ clock_skew_ms }) => clock_skew_ms);
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

/** Returns the number of samples in each stored batch. */
const batchSizes = (aggregator: DurableObjectStub<Aggregator>) =>
  runInDurableObject(aggregator, (_, { storage }) =>
    storage.sql
      .exec(
        "SELECT json_array_length(gpu) AS gpu, json_array_length(system) AS system FROM samples",
      )
      .toArray(),
  );

test("stores what an agent reports of ten seconds: means, maxima, reasons and energy", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const slot = Math.floor(now / 60_000) * 60_000 - 120_000;
  const history = [0, 10, 20, 30].map((seconds) =>
    gpuOf("atlas", slot + seconds * SECOND_MS, {
      power_draw_w: 200,
      temperature_c: 60,
      temperature_max_c: 60 + seconds,
      utilization_max_percent: 99,
      energy_j: 2_000,
      throttle_reasons: ["sw_power_cap"],
    }),
  );
  const readings = readingsOf(now, [], [gpuOf("atlas", now, { power_draw_w: 700 })]);
  await aggregator.read("atlas", { ...readings, now_ms: now, gpu: { ...readings.gpu, history } });
  await aggregator.read("atlas", {
    ...readings,
    now_ms: now,
    gpu: { ...readings.gpu, history: [] },
  });
  const span = { from: slot / 1_000, granularity: 60, buckets: 1 };
  const { gpus } = await aggregator.gpuHistory(span);
  expect(gpus).toMatchObject([
    {
      power_draw_w: [200],
      temperature_c: [60],
      temperature_max_c: [90],
      utilization_max_percent: [99],
      energy_j: [8_000],
    },
  ]);
  expect(await aggregator.systemHistory(span)).toMatchObject([{ energy_j: 8_000 }]);
  // The live view still has the reading of the moment, without the fields of a history.
  const [shown] = (await aggregator.gpu()).gpus;
  expect(shown?.power_draw_w).toBe(700);
  expect(shown).not.toHaveProperty("energy_j");
});
