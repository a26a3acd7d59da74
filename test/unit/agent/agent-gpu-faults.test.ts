/** The energy of requests while nvidia-smi is killed, stopped or limited: right or unknown, never wrong. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { FrameType, NO_PAYLOAD } from "../../../protocol/frames.ts";
import { abortFrame } from "../../../protocol/messages.ts";
import type { RequestRecord } from "../../../protocol/records.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { type FakeSmi, fakeSmi } from "../../support/fake-nvidia-smi.ts";
import { isAlive } from "../../support/is-alive.ts";
import { eventually } from "../../support/stack.ts";
import { waitFor } from "../../support/wait-for.ts";

const WATTS = 100;
const CARD = {
  index: "0",
  uuid: "GPU-1",
  name: "NVIDIA L40S",
  driver_version: "595.80",
  "utilization.gpu": "3",
  "power.draw": `${WATTS}.00`,
  "power.draw.average": `${WATTS}.00`,
  "power.draw.instant": `${WATTS}.00`,
};

async function withCard(
  card: Record<string, string>,
  run: (edge: FakeEdge, smi: FakeSmi) => Promise<void>,
): Promise<void> {
  const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0 });
  const smi = fakeSmi([{ rows: [card], everyMs: 200 }]);
  try {
    await using edge = await FakeEdge.start(ollama.url, smi.command);
    await waitFor(() => expect(edge.readings.at(-1)?.gpu.available).toBe(true));
    await run(edge, smi);
  } finally {
    await ollama.close();
  }
}

const pidsOf = (smi: FakeSmi): number[] =>
  smi.runs().flatMap(({ pid }) => (isAlive(pid) ? [pid] : []));
const streamsIn = (smi: FakeSmi) => smi.runs().filter(({ args }) => args.includes("-lms"));

/** Opens a request that ends only with its caller. */
function openLong(edge: FakeEdge): string {
  const id = randomUUID();
  edge.open(
    id,
    {},
    '{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_predict":1000000}}',
  );
  return id;
}

function leave(edge: FakeEdge, id: string): Promise<RequestRecord> {
  edge.send(abortFrame(id, { code: "caller_gone", message: "the caller left" }));
  return edge.recorded(id);
}

/** Runs short requests until the energy of one is known: a busy machine may delay the readings. */
const nextKnown = (edge: FakeEdge): Promise<RequestRecord> =>
  eventually(async () => {
    const id = randomUUID();
    edge.open(
      id,
      {},
      '{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_predict":4}}',
    );
    const { seq } = await edge.received(FrameType.end, id);
    edge.send({ type: FrameType.ack, stream: id, seq: seq + 1, payload: NO_PAYLOAD });
    const record = await edge.recorded(id);
    return record.energy_j !== null && record;
  });

function expectPlausible({ energy_j, latency_ms }: RequestRecord): void {
  if (energy_j === null) return;
  expect(energy_j).toBeGreaterThan(0);
  expect(energy_j).toBeLessThanOrEqual((WATTS * latency_ms) / 1_000 + 0.001);
}

test("a request in which nvidia-smi is killed has its energy or none, and the next one has it again", () =>
  withCard(CARD, async (edge, smi) => {
    const id = openLong(edge);
    await waitFor(() => expect(streamsIn(smi)).toHaveLength(1));
    const killed = pidsOf(smi);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    // Both the loop and the stream are replaced.
    await waitFor(() => {
      const alive = smi.runs().filter(({ pid }) => isAlive(pid) && !killed.includes(pid));
      for (const option of ["-l", "-lms"])
        expect(alive.some(({ args }) => args.includes(option))).toBe(true);
    });
    expectPlausible(await leave(edge, id));
    expectPlausible(await nextKnown(edge));
  }));

test("a request in which nvidia-smi stands still has no energy and is recorded all the same", () =>
  withCard(CARD, async (edge, smi) => {
    const id = openLong(edge);
    await waitFor(() => expect(streamsIn(smi)).toHaveLength(1));
    const stopped = pidsOf(smi);
    for (const pid of stopped) process.kill(pid, "SIGSTOP");
    await waitFor(() => expect(edge.readings.at(-1)?.gpu.available).toBe(false));
    const record = await leave(edge, id);
    expect(record).toMatchObject({ energy_j: null, energy_method: null, status: "cancelled" });
    // The readings are old, but the GPU is not lost.
    expect(edge.readings.at(-1)?.gpu).toMatchObject({ failed: false, lost: [] });
    for (const pid of stopped) if (isAlive(pid)) process.kill(pid, "SIGCONT");
    expectPlausible(await nextKnown(edge));
  }));

test("a card with MIG, which reports no utilization, has the energy of its requests", () =>
  withCard({ ...CARD, "utilization.gpu": "[N/A]" }, async (edge) => {
    expectPlausible(await nextKnown(edge));
    const { gpu } = edge.readings.at(-1) ?? {};
    expect(gpu).toMatchObject({ available: true, failed: false, lost: [] });
    const samples = edge.readings.flatMap((readings) => readings.gpu.samples);
    expect(samples[0]).toMatchObject({ utilization_percent: null, power_draw_w: WATTS });
  }));
