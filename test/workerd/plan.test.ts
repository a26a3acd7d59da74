/** The memory of models, learned from the readings of any box, and where they would fit. */

import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Plan } from "../../protocol/api/planning.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { helloOf, readingsOf } from "../support/records.ts";
import { call } from "./calls.ts";

/** Reports gemma4 with a context in the memory of a box; null: on its disk. */
async function report(box: string, loaded: { context: number; bytes: number } | null) {
  await aggregatorOf(env).connected(helloOf(box));
  const readings = readingsOf(Date.now(), ["gemma4:latest"]);
  for (const model of readings.inventory.models) model.digest = "c6eb396dbd59";
  if (loaded !== null)
    readings.inventory.loaded = [
      {
        name: "gemma4:latest",
        size_bytes: loaded.bytes,
        size_vram_bytes: loaded.bytes,
        context_length: loaded.context,
        expires_at: null,
      },
    ];
  await aggregatorOf(env).read(box, readings);
}

const plan = async (query: string) =>
  Plan.parse(await (await call(`/api/plan?${query}`)).json()).boxes.map(
    ({ box, predicted_bytes, method }) => [box, predicted_bytes, method],
  );

test("predicts a model on every box from what one of them took, also after a restart", async () => {
  await report("plan-atlas", { context: 4_096, bytes: 6_591_830_464 });
  await report("plan-atlas", { context: 8_192, bytes: 7_128_701_376 });
  await report("plan-atlas", null);
  await report("plan-basil", null);
  await evictDurableObject(aggregatorOf(env));
  expect(await plan("model=gemma4&context=4096")).toEqual([
    ["plan-atlas", 6_591_830_464, "measured"],
    ["plan-basil", 6_591_830_464, "measured"],
  ]);
  expect((await plan("model=gemma4&context=16384"))[1]).toEqual([
    "plan-basil",
    8_202_443_200,
    "interpolated",
  ]);
  expect((await plan("model=gemma4&context=2048"))[0]?.[2]).toBe("interpolated");
});

test.each([
  ["model=nowhere", 404, "model_not_found"],
  ["", 400, "bad_request"],
  ["model=gemma4&context=0", 400, "bad_request"],
  ["model=gemma4&context=many", 400, "bad_request"],
])("refuses a plan for %j", async (query, status, code) => {
  const answer = await call(`/api/plan?${query}`);
  expect([answer.status, ApiError.parse(await answer.json()).error.code]).toEqual([status, code]);
});
