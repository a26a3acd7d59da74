/** The end of a box's agent under `npm start`. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { LocalBox } from "../../../local/box.ts";
import { startReaper } from "../../../local/reaping.ts";
import { FrameType } from "../../../protocol/frames.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { eventually } from "../../support/stack.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const reaper = startReaper();
afterAll(() => reaper.close());

test("ends a request that outlasts the grace with an error and a true record before the agent exits", async () => {
  await using edge = await FakeEdge.listen();
  const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 5 });
  const box = new LocalBox(
    {
      name: "b",
      edgeUrl: edge.url,
      edgeSocket: null,
      ollamaUrl: ollama.url,
      folder: temporaryFolder("local-box-"),
      secret: null,
      simulatedGpu: null,
    },
    reaper,
    () => {},
  );
  await eventually(async () => edge.readings.length > 0);
  const id = randomUUID();
  const messages = [{ role: "user", content: "Hello" }];
  edge.open(id, {}, JSON.stringify({ model: "m", messages, options: { num_predict: 100_000 } }));
  await edge.received(FrameType.data, id);
  const startedMs = performance.now();
  await eventually(async () => edge.frames.filter(({ stream }) => stream === id).length > 5);
  const servedMs = performance.now() - startedMs;
  await box.stop(50);
  await edge.received(FrameType.abort, id);
  const record = await edge.recorded(id);
  expect(record).toMatchObject({ status: "error", failed_at: "tunnel", http_status: 200 });
  expect(record.latency_ms).toBeGreaterThan(servedMs);
  expect(record.completion_tokens).toBeGreaterThan(0);
  expect(record.response?.length).toBeGreaterThan(0);
  await ollama.close();
});
