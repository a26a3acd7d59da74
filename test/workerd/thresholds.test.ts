/** `/api/thresholds`: rules are kept, replaced and audited, and raise concerns at once. */
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Health } from "../../protocol/api/fleet.ts";
import { ThresholdsState } from "../../protocol/api/thresholds.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { gpuOf, helloOf, readingsOf, recordOf } from "../support/records.ts";

const call = (path: string, init: RequestInit = {}) =>
  exports.default.fetch(`http://localhost/api/${path}`, init);
const put = (rules: object[]) =>
  call("thresholds", { method: "PUT", body: JSON.stringify({ rules }) });
const concerns = async () => {
  const health = Health.parse(await (await call("health")).json());
  return health.concerns.map(({ code, severity, subject }) => ({ code, severity, subject }));
};

test("a rule raises a concern, and its removal ends it", async () => {
  const aggregator = aggregatorOf(env);
  await aggregator.connected(helloOf("atlas"));
  const gpus = [gpuOf("atlas", Date.now(), { temperature_c: 80 })];
  await aggregator.read("atlas", readingsOf(Date.now(), ["llama3.2:latest"], gpus));
  await aggregator.ingest(
    Array.from({ length: 12 }, (_, n) => recordOf(Date.now() - 5_000, { latency_ms: 2_500 }, n)),
  );
  const usual = await concerns();
  expect(usual.map(({ code }) => code)).not.toContain("gpu_hot");

  const set = ThresholdsState.parse(
    await (
      await put([
        { code: "gpu_hot", box: "atlas", warning: 75 },
        { code: "model_latency_high", model: "llama3.2", warning: 10_000, critical: 2_000 },
      ])
    ).json(),
  );
  expect(set.rules).toEqual([
    { code: "gpu_hot", box: "atlas", model: null, warning: 75, critical: null },
    ...[{ code: "model_latency_high", box: null, model: "llama3.2" }].map((rule) => ({
      ...{ ...rule, warning: 10_000, critical: 2_000 },
    })),
  ]);
  expect(set.built_in).toContainEqual(
    expect.objectContaining({ code: "gpu_hot", unit: "°C", warning: 85, critical: 90 }),
  );
  const found = await concerns();
  expect(found).toContainEqual({
    ...{ code: "gpu_hot", severity: "warning" },
    subject: { kind: "gpu", box: "atlas", index: 0 },
  });
  expect(found).toContainEqual({
    ...{ code: "model_latency_high", severity: "critical" },
    subject: { kind: "model", box: "atlas", model: "llama3.2:latest" },
  });
  const audit = (await (await call("audit?limit=1")).json()) as {
    entries: { action: string; outcome: string }[];
  };
  expect(audit.entries).toMatchObject([{ action: "thresholds_set", outcome: "done" }]);

  expect((await put([])).status).toBe(200);
  expect(await concerns()).toEqual(usual);
  expect(ThresholdsState.parse(await (await call("thresholds")).json()).rules).toEqual([]);
});

test("a faulty rule changes nothing", async () => {
  await put([{ code: "queue_long", warning: 1 }]);
  expect((await put([{ code: "gpu_hot", model: "llama3.2", warning: 1 }])).status).toBe(400);
  const { rules } = ThresholdsState.parse(await (await call("thresholds")).json());
  expect(rules.map(({ code }) => code)).toEqual(["queue_long"]);
});
