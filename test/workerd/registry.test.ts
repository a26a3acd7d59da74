/** The registry of boxes inside the Aggregator: their states, readings and samples. */
import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { Boxes, Gpu } from "../../protocol/api/fleet.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { gpuOf, helloOf, readingsOf } from "../support/records.ts";
import { changes } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

test("tracks the state of a box through its life", async () => {
  const aggregator = await freshAggregator();
  const stateOf = async () => (await aggregator.registry())[0]?.state;
  expect(await stateOf()).toBe("up");
  await aggregator.draining("atlas");
  expect(await stateOf()).toBe("draining");
  await aggregator.gone("atlas", 5);
  expect(await stateOf()).toBe("draining"); // from before it connected
  await aggregator.gone("atlas", Date.now());
  expect(await stateOf()).toBe("down");
  await aggregator.gone("unknown", Date.now());
  expect(await aggregator.registry()).toHaveLength(1);
  await aggregator.connected(helloOf("atlas"));
  expect(await stateOf()).toBe("up");
});

test("a box whose agent leaves at once is down, even if the clock of its Box is behind", async () => {
  const aggregator = await freshAggregator();
  const stateOf = async () => (await aggregator.registry())[0]?.state;
  const boxMs = Date.now() - 1_000;
  await aggregator.connected(helloOf("atlas"), boxMs);
  await aggregator.gone("atlas", boxMs - 1);
  expect(await stateOf()).toBe("up"); // the end of the tunnel before
  await aggregator.gone("atlas", boxMs);
  expect(await stateOf()).toBe("down");
});

test("keeps readings that arrive before the hello", async () => {
  const aggregator = await freshAggregator();
  await aggregator.read("basil", readingsOf(Date.now(), ["phi:latest"]));
  await aggregator.connected(helloOf("basil"));
  expect(
    (await aggregator.registry())[1]?.readings?.inventory.models.map(({ name }) => name),
  ).toEqual(["phi:latest"]);
});

test("returns the newest sample of each GPU, and the reason if a box has none", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const samples = [
    gpuOf("atlas", now - 2_000),
    gpuOf("atlas", now, { utilization_percent: 80 }),
    gpuOf("atlas", now, { index: 1, uuid: null }),
  ];
  await aggregator.read("atlas", readingsOf(now, [], samples));
  await aggregator.connected(helloOf("basil", { simulated: true }));
  await aggregator.read("basil", readingsOf(now, []));
  const gpu = Gpu.parse(await aggregator.gpu());
  expect(
    gpu.gpus.map(({ box, index, utilization_percent }) => [box, index, utilization_percent]),
  ).toEqual([
    ["atlas", 0, 80],
    ["atlas", 1, 75],
  ]);
  expect(gpu).toMatchObject({
    available: true,
    gpu_count: 2,
    errors: [{ box: "basil", error: "nvidia-smi was not found" }],
  });
  expect(await aggregator.gpu("basil")).toMatchObject({ available: false, gpus: [] });
  await aggregator.gone("atlas", Date.now());
  expect((await aggregator.gpu("atlas")).errors).toEqual([
    { box: "atlas", error: "the box is not connected" },
  ]);
});

test("keeps the last GPU sample when readings without samples arrive", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.read("atlas", readingsOf(now, [], [gpuOf("atlas", now)]));
  const none = readingsOf(now, []);
  await aggregator.read("atlas", { ...none, gpu: { ...none.gpu, available: true, error: null } });
  expect((await aggregator.gpu()).gpu_count).toBe(1);
  await aggregator.read("atlas", none);
  expect((await aggregator.gpu()).gpu_count).toBe(0);
});

test("skips writing most quick readings, and stores samples in batches", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now() - 60_000;
  const [boxRows, batches] = await runInDurableObject(
    aggregator,
    async (instance: Aggregator, { storage }) => {
      await instance.read("atlas", readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now)]));
      const before = changes(storage);
      for (let n = 0; n < 14; n++)
        await instance.read(
          "atlas",
          readingsOf(now, ["llama3.2:latest"], [gpuOf("atlas", now, { index: n })]),
        );
      const written = changes(storage) - before;
      const many = Array.from({ length: 300 }, (_, n) => gpuOf("atlas", now, { index: n + 20 }));
      await instance.read("atlas", readingsOf(now, ["llama3.2:latest"], many));
      return [
        written,
        storage.sql.exec("SELECT json_array_length(gpu) AS samples FROM samples").toArray(),
      ];
    },
  );
  expect(boxRows).toBe(0);
  expect(batches).toEqual([{ samples: 314 }]);
});

test("adds up the energy of a GPU over starts of its agent and of this object", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const report = (meter: string, joules: number) =>
    aggregator.read("atlas", {
      ...readingsOf(now, []),
      gpu_energy: {
        meter_id: meter,
        gpus: [
          {
            index: 0,
            uuid: "GPU-1",
            name: "L40S",
            energy: {
              active: { joules, seconds: 10 },
              loaded: { joules: 60 * 120, seconds: 60 },
              idle: { joules: 60 * 70, seconds: 60 },
            },
          },
        ],
      },
    });
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
  await report(first, 100);
  await report(first, 140);
  await report(second, 5);
  const { boxes } = Boxes.parse(await aggregator.boxes());
  expect(boxes[0]?.gpu_energy).toMatchObject([
    { index: 0, uuid: "GPU-1", name: "L40S", active: { joules: 145 }, standing_w: 50 },
  ]);
  expect(boxes[0]?.energy?.active.joules).toBe(145);
  await aggregator.draining("atlas"); // writes the row
  const stored = await runInDurableObject(aggregator, (_: Aggregator, { storage }) =>
    storage.sql.exec("SELECT gpu_energy FROM boxes").one(),
  );
  expect(JSON.parse(String(stored.gpu_energy))[0].total.active.joules).toBe(145);
});
