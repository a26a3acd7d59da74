/** The agent with GPUs that come, go and hang. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { FrameType, NO_PAYLOAD } from "../../../protocol/frames.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { type FakeSmi, fakeSmi, type Step } from "../../support/fake-nvidia-smi.ts";
import { waitFor } from "../../support/wait-for.ts";

const CARD = {
  index: "0",
  uuid: "GPU-1",
  name: "NVIDIA L40S",
  driver_version: "595.80",
  "utilization.gpu": "3",
  "power.draw": "100.00",
  "power.draw.average": "100.00",
  "power.draw.instant": "101.00",
};

async function withGpu(steps: Step[], run: (edge: FakeEdge, smi: FakeSmi) => Promise<void>) {
  const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0 });
  const smi = fakeSmi(steps);
  try {
    await using edge = await FakeEdge.start(ollama.url, smi.command);
    await waitFor(() => expect(edge.readings.at(-1)?.gpu.available).toBe(true));
    await run(edge, smi);
  } finally {
    await ollama.close();
  }
}

const streamsIn = (smi: FakeSmi) => smi.runs().filter(({ args }) => args.includes("-lms"));
const loopsIn = (smi: FakeSmi) => smi.runs().filter(({ args }) => args.includes("-l"));

test("an idle agent runs one nvidia-smi, and a second one only for requests", () =>
  withGpu([{ rows: [CARD], everyMs: 200 }], async (edge, smi) => {
    expect([loopsIn(smi).length, streamsIn(smi).length]).toEqual([1, 0]);
    const id = randomUUID();
    edge.open(id, {}, '{"model":"m","messages":[],"options":{"num_predict":2}}');
    await waitFor(() => expect(streamsIn(smi)).toHaveLength(1));
    const { seq } = await edge.received(FrameType.end, id);
    edge.send({ type: FrameType.ack, stream: id, seq: seq + 1, payload: NO_PAYLOAD });
    await edge.recorded(id);
    expect(loopsIn(smi)).toHaveLength(1);
  }));

test("reports at once that a stopped nvidia-smi shows nothing new, and that it works again", () =>
  withGpu([{ rows: [CARD], everyMs: 200 }], async (edge, smi) => {
    const pid = loopsIn(smi)[0]?.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    await waitFor(() =>
      expect(edge.readings.at(-1)?.gpu).toMatchObject({
        available: false,
        error: "no GPU reading for 3 s",
        failed: false,
      }),
    );
    process.kill(pid, "SIGCONT");
    await waitFor(() => expect(edge.readings.at(-1)?.gpu.available).toBe(true));
  }));

test("reports at once that one of two GPUs is lost, and the fault of a driver that fails", () => {
  const both = [CARD, { ...CARD, index: "1", uuid: "GPU-2" }];
  const lost = { index: "1", uuid: "[GPU is lost]", name: "[GPU is lost]" };
  return withGpu(
    [
      { rows: both },
      { rows: both, rounds: 3, text: "GPU is lost\n", code: 15 },
      { rows: [CARD, lost], everyMs: 200, rounds: 20, text: "GPU is lost\n", code: 15 },
      { text: "Failed to initialize NVML: Driver/library version mismatch", code: 18 },
    ],
    async (edge) => {
      await waitFor(() =>
        expect(
          edge.readings.some(
            ({ gpu }) => gpu.available && gpu.failed && gpu.lost.some(({ index }) => index === 1),
          ),
        ).toBe(true),
      );
      await waitFor(() =>
        expect(edge.readings.at(-1)?.gpu).toMatchObject({
          available: false,
          failed: true,
          error: expect.stringContaining("version mismatch"),
        }),
      );
      expect(edge.readings.at(-1)?.gpu.lost.map(({ index }) => index)).toEqual([0, 1]);
    },
  );
});
