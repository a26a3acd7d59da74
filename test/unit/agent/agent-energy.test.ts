/** The energy of requests through the whole agent, on a simulated H100 whose power is known. */
import { randomUUID } from "node:crypto";
import { beforeAll, expect, test, vi } from "vitest";
import { SIMULATED_SMI } from "../../../local/edge.ts";
import { FrameType, NO_PAYLOAD } from "../../../protocol/frames.ts";
import type { RequestRecord } from "../../../protocol/records.ts";
import { GPU_MODELS } from "../../../simulated/gpus.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { powerOf } from "../../../simulated/power.ts";
import { buildOnce } from "../../support/built.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { waitFor } from "../../support/wait-for.ts";

beforeAll(buildOnce);

const H100 = GPU_MODELS.h100;
if (H100 === undefined) throw new Error("the card is missing");

/** The load of one request: a third of what makes the simulated card fully busy. */
const BUSY_W = powerOf(H100, [{ agoMs: 60_000, load: 1 / 3 }], true).instantW;

const TOKEN_MS = 20;

async function chat(edge: FakeEdge, tokens: number): Promise<RequestRecord> {
  const id = randomUUID();
  const options = { num_predict: tokens };
  edge.open(
    id,
    {},
    JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }], options }),
  );
  const { seq } = await edge.received(FrameType.end, id);
  edge.send({ type: FrameType.ack, stream: id, seq: seq + 1, payload: NO_PAYLOAD });
  return edge.recorded(id);
}

test("agrees with the energy that a simulated card draws for requests of one and two seconds", async () => {
  const ollama = await startSimulatedOllama({ models: ["m"], tokenMs: TOKEN_MS, loadMsPerGb: 0 });
  vi.stubEnv("SIMULATED_OLLAMA", ollama.url);
  vi.stubEnv("SIMULATED_GPU", "h100");
  try {
    await using edge = await FakeEdge.start(ollama.url, SIMULATED_SMI);
    await waitFor(() => expect(edge.readings.at(-1)?.gpu.available).toBe(true));
    for (const tokens of [65, 130]) {
      // A busy machine may delay the readings: then the energy is unknown.
      const record = await waitForKnown(() => chat(edge, tokens));
      const seconds = ((record.prefill_ms ?? 0) + (record.decode_ms ?? 0)) / 1_000;
      expect(Math.abs((record.energy_j ?? 0) / (BUSY_W * seconds) - 1)).toBeLessThan(0.25);
    }
  } finally {
    vi.unstubAllEnvs();
    await ollama.close();
  }
});

async function waitForKnown(run: () => Promise<RequestRecord>): Promise<RequestRecord> {
  for (;;) {
    const record = await run();
    if (record.energy_j !== null) return record;
  }
}
