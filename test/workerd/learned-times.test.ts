/** The times of models on boxes, as the fleet has them: learned from records, also after an eviction. */
import { evictDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { gpuOf, readingsOf, recordOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const GB = 1e9;
const MIB = 2 ** 20;

test("the fleet has the times of its models, and learns them again after an eviction", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  await aggregator.ingest([
    recordOf(now - 90_000, { load_ms: 8_000, prefill_ms: 100, prompt_tokens: 100 }),
    recordOf(now - 60_000, { load_ms: 20, prefill_ms: 100, prompt_tokens: 100, decode_ms: 2_000 }),
    recordOf(now - 30_000, { status: "error", decode_ms: 60_000 }),
  ]);
  const times = async () => (await aggregator.fleet()).boxes[0]?.models["llama3.2:latest"]?.times;
  const learned = { load_ms: 8_000, token_ms: 1, decode_ms: 1_200 };
  expect(await times()).toEqual(learned);
  await evictDurableObject(aggregator);
  expect(await times()).toEqual(learned);
  // And goes on learning in memory.
  await aggregator.ingest([recordOf(now - 10_000, { load_ms: 18_000, decode_ms: null })]);
  expect(await times()).toMatchObject({ load_ms: 10_000, decode_ms: 1_200 });
});

test("a load that has left the ledger is known by the counters, to its bucket", async () => {
  const aggregator = await freshAggregator();
  await aggregator.ingest([recordOf(Date.now() - 2_000, { load_ms: 8_000 })]);
  await aggregator.clear("logs");
  await evictDurableObject(aggregator);
  const [box] = (await aggregator.fleet()).boxes;
  const { load_ms = null } = box?.models["llama3.2:latest"]?.times ?? {};
  expect(load_ms).toBeGreaterThan(7_500);
  expect(load_ms).toBeLessThan(10_000);
});

test("a box that is forgotten has no times when it comes again", async () => {
  const aggregator = await freshAggregator();
  await aggregator.ingest([recordOf(Date.now() - 1_000)]);
  expect((await aggregator.fleet()).boxes[0]?.models["llama3.2:latest"]?.times).not.toBeNull();
  await aggregator.forgetBox("atlas");
  expect((await aggregator.fleet()).boxes).toEqual([]);
});

test("the fleet has the memory of the GPUs and of the models, and whether a box is slowed down", async () => {
  const aggregator = await freshAggregator();
  const now = Date.now();
  const hot = gpuOf("atlas", now, {
    memory_total_mb: 24_000,
    memory_used_mb: 4_000,
    temperature_c: 93,
  });
  const readings = readingsOf(now, ["llama3.2:latest"], [hot], ["llama3.2:latest"]);
  const [model] = readings.inventory.loaded;
  if (model === undefined) throw new Error("no model is loaded");
  Object.assign(model, {
    size_bytes: 4 * GB,
    size_vram_bytes: 3 * GB,
    context_length: 8_192,
  });
  await aggregator.read("atlas", {
    ...readings,
    serving: [{ model: "llama3.2:latest", open: 3, local: 1, slots: 2 }],
  });
  const [box] = (await aggregator.fleet()).boxes;
  expect(box).toMatchObject({
    vram: { total_bytes: 24_000 * MIB, free_bytes: 20_000 * MIB },
    is_slowed: true,
    models: {
      "llama3.2:latest": {
        open: 3,
        slots: 2,
        loaded_bytes: 4 * GB,
        vram_bytes: 3 * GB,
        context_length: 8_192,
      },
    },
  });
});
