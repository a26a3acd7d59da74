/** The bench through the whole agent, as the edge starts it. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { BENCH_ROUTE, BenchLine, type BenchRequest } from "../../../../protocol/bench.ts";
import { FrameType, NO_PAYLOAD, parsePayload } from "../../../../protocol/frames.ts";
import { abortFrame, Head } from "../../../../protocol/messages.ts";
import { startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { fakeSmi } from "../../../support/fake-nvidia-smi.ts";
import { eventually, NOBODY } from "../../../support/stack.ts";

async function scene(run: (edge: FakeEdge) => Promise<void>, nvidiaSmi?: string): Promise<void> {
  const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 2 });
  try {
    await using edge = await FakeEdge.start(ollama.url, nvidiaSmi);
    await run(edge);
  } finally {
    await ollama.close();
  }
}

/** Starts a bench and returns its stream. */
function bench(edge: FakeEdge, request: Partial<BenchRequest> & { model: string }): string {
  const id = randomUUID();
  const { path } = BENCH_ROUTE;
  edge.open(id, { path, endpoint: path, model: request.model }, JSON.stringify(request));
  return id;
}

const linesOf = (edge: FakeEdge, id: string): BenchLine[] =>
  edge.frames
    .filter(({ type, stream }) => type === FrameType.data && stream === id)
    .map(({ payload }) => new TextDecoder().decode(payload))
    .join("")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => BenchLine.parse(JSON.parse(line)));

async function statusOf(edge: FakeEdge, id: string): Promise<number> {
  return parsePayload(Head, (await edge.received(FrameType.head, id)).payload).status;
}

/** Reads the answer to its end. */
async function ended(edge: FakeEdge, id: string): Promise<BenchLine[]> {
  const { seq } = await edge.received(FrameType.end, id);
  edge.send({ type: FrameType.ack, stream: id, seq: seq + 1, payload: NO_PAYLOAD });
  return linesOf(edge, id);
}

const SHORT = { model: "m", contexts: [64], repeats: 1, output_tokens: 16 };
const LONG = { ...SHORT, output_tokens: 2_048, repeats: 10 };

test("runs a bench, and labels its requests in the records", () =>
  scene(async (edge) => {
    const id = bench(edge, SHORT);
    const last = (await ended(edge, id)).at(-1);
    expect(last).toMatchObject({
      state: "done",
      result: { model: "m", skipped: [], discarded: 0, points: [{ context: 64, repeats: 1 }] },
    });
    if (last === undefined || !("result" in last)) throw new Error("there is no result");
    const [point] = last.result.points;
    expect(point?.tokens_per_second?.median).toBeGreaterThan(0);
    expect(point?.prefill_tokens_per_second?.median).toBeGreaterThan(0);
    // Without a GPU the energy is unknown, and not 0.
    expect(point?.wh_per_1k_tokens).toBeNull();
    const own = await edge.recorded(id);
    expect(own).toMatchObject({ endpoint: "/bench", source: "edge", status: "success" });
    const requests = await eventually(async () => {
      const labelled = edge.records.filter(({ source }) => source === "bench");
      return labelled.length === 3 && labelled;
    });
    for (const request of requests)
      expect(request).toMatchObject({
        endpoint: "/api/generate",
        model: "m",
        status: "success",
        key_id: null,
        prompt: null,
        response: null,
      });
  }));

test("measures the energy of its requests", () =>
  scene(
    async (edge) => {
      await eventually(async () => edge.readings.at(-1)?.gpu.available);
      // A busy machine may delay the readings: then the energy is unknown.
      const known = await eventually(async () => {
        const last = (await ended(edge, bench(edge, { ...SHORT, output_tokens: 64 }))).at(-1);
        if (last === undefined || !("result" in last)) throw new Error("there is no result");
        return last.result.points[0]?.wh_per_1k_tokens != null && last.result;
      });
      expect(known).toMatchObject({ gpus: ["NVIDIA L40S"], driver_version: "595.80" });
      expect(known.points[0]?.wh_per_1k_tokens?.median).toBeGreaterThan(0);
    },
    fakeSmi([
      {
        rows: [
          {
            index: "0",
            uuid: "GPU-1",
            name: "NVIDIA L40S",
            driver_version: "595.80",
            "power.draw": "100.00",
          },
        ],
        everyMs: 100,
      },
    ]).command,
  ));

test("refuses a second bench while one is running, and runs it afterwards", () =>
  scene(async (edge) => {
    const first = bench(edge, LONG);
    await eventually(async () => linesOf(edge, first).length > 0);
    const second = bench(edge, SHORT);
    expect(await statusOf(edge, second)).toBe(409);
    expect(await ended(edge, second)).toEqual([
      { error: "Box b is already running a bench of m. Wait for it, or cancel it." },
    ]);
    edge.send(abortFrame(first, { code: "caller_gone", message: "the caller left" }));
    expect(await edge.recorded(first)).toMatchObject({ status: "cancelled" });
    // The first one ends a moment after its record.
    const third = await eventually(async () => {
      const id = bench(edge, SHORT);
      return (await statusOf(edge, id)) === 200 && id;
    });
    expect((await ended(edge, third)).at(-1)).toMatchObject({ state: "done" });
  }));

test("stops Ollama when its caller leaves, and records that request as cancelled", () =>
  scene(async (edge) => {
    const id = bench(edge, LONG);
    await eventually(async () => linesOf(edge, id).length > 2);
    edge.send(abortFrame(id, { code: "caller_gone", message: "the caller left" }));
    const stopped = await eventually(async () =>
      edge.records.find(({ source, status }) => source === "bench" && status === "cancelled"),
    );
    expect(stopped.endpoint).toBe("/api/generate");
  }));

test("goes out of the way of a caller, and goes on when the caller is done", () =>
  scene(async (edge) => {
    const id = bench(edge, { ...SHORT, output_tokens: 256, repeats: 2 });
    await eventually(async () => linesOf(edge, id).length > 2);
    const caller = randomUUID();
    const options = { num_predict: 100 };
    edge.open(caller, {}, JSON.stringify({ model: "m", messages: [{ role: "user" }], options }));
    const end = await edge.received(FrameType.end, caller);
    edge.send({ type: FrameType.ack, stream: caller, seq: end.seq + 1, payload: NO_PAYLOAD });
    const lines = await ended(edge, id);
    expect(lines).toContainEqual(
      expect.objectContaining({ state: "waiting", for: "1 other request is open" }),
    );
    expect(lines.at(-1)).toMatchObject({ state: "done", result: { discarded: 1 } });
  }));

test("states what it waits for, and gives up a busy box", () =>
  scene(async (edge) => {
    const caller = randomUUID();
    const options = { num_predict: 100_000 };
    edge.open(caller, {}, JSON.stringify({ model: "m", messages: [{ role: "user" }], options }));
    await edge.received(FrameType.data, caller);
    expect((await ended(edge, bench(edge, { ...SHORT, wait_s: 0 }))).at(-1)).toEqual({
      error:
        "Box b was not idle for 0 s: 1 other request is open. Try again later, or wait longer with wait_s.",
    });
  }));

test.each([
  {
    what: "an unknown model",
    request: { ...SHORT, model: "nobody" },
    status: 404,
    error: "Box b does not have the model nobody.",
  },
  {
    what: "a wrong field",
    request: { ...SHORT, repeats: 0 },
    status: 400,
    error: expect.stringContaining("repeats"),
  },
])("refuses $what", ({ request, status, error }) =>
  scene(async (edge) => {
    const id = bench(edge, request);
    expect(await statusOf(edge, id)).toBe(status);
    expect(await ended(edge, id)).toEqual([{ error }]);
  }),
);

test("refuses a cloud model", () =>
  scene(async (edge) => {
    const id = bench(edge, { ...SHORT, model: "gpt-oss:120b-cloud" });
    expect(await statusOf(edge, id)).toBe(403);
  }));

test("passes on why an embedding model cannot be measured", async () => {
  const models = ["nomic-embed-text:latest"];
  const ollama = await startSimulatedOllama({ models, loadMsPerGb: 0 });
  try {
    await using edge = await FakeEdge.start(ollama.url);
    const lines = await ended(edge, bench(edge, { ...SHORT, model: "nomic-embed-text" }));
    expect(lines.at(-1)).toEqual({
      error: 'Ollama: "nomic-embed-text" does not support generate',
    });
  } finally {
    await ollama.close();
  }
});

test("reports an Ollama that is down", async () => {
  await using edge = await FakeEdge.start(NOBODY);
  const id = bench(edge, SHORT);
  const frame = await eventually(async () =>
    edge.frames.find(
      ({ type, stream }) => stream === id && (type === FrameType.abort || type === FrameType.data),
    ),
  );
  expect(new TextDecoder().decode(frame.payload)).toContain("Ollama does not answer on");
});

test("ends the bench when the agent drains", () =>
  scene(async (edge) => {
    const id = bench(edge, LONG);
    await eventually(async () => linesOf(edge, id).length > 1);
    const draining = edge.drain();
    expect((await ended(edge, id)).at(-1)).toEqual({
      error: "The agent of this box is stopping.",
    });
    await draining;
  }));
