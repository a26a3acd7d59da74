/** The agent with an edge and a network that misbehave. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { Tunnel } from "../../../agent/tunnel/tunnel.ts";
import { FrameType, NO_PAYLOAD, tunnelFrame } from "../../../protocol/frames.ts";
import { NOTICE_MS, SILENCE_MS } from "../../../protocol/limits.ts";
import type { RequestRecord } from "../../../protocol/records.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { fakeSmi } from "../../support/fake-nvidia-smi.ts";
import { onBusyMachine } from "../../support/patience.ts";
import { eventually } from "../../support/stack.ts";

const abortText = (payload: Uint8Array) => new TextDecoder().decode(payload);

async function withOllama(
  run: (edge: FakeEdge) => Promise<void>,
  nvidiaSmi?: string,
): Promise<void> {
  const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0 });
  try {
    await using edge = await FakeEdge.start(ollama.url, nvidiaSmi);
    await run(edge);
  } finally {
    await ollama.close();
  }
}

test("ends only the stream of an invalid request, and keeps the tunnel and the other streams", () =>
  withOllama(async (edge) => {
    const [deep, long, forbidden, good] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    edge.open(
      deep,
      {},
      `{"model":"m","messages":[],"x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
    );
    edge.open(long, { model: "x".repeat(600) });
    edge.open(forbidden, { path: "/api/delete", endpoint: "/api/delete" });
    edge.open(
      good,
      { stream: false },
      '{"model":"m","stream":false,"messages":[{"role":"user","content":"x"}],"options":{"num_predict":2}}',
    );
    expect(abortText((await edge.received(FrameType.abort, long)).payload)).toContain(
      "cannot parse the OPEN",
    );
    expect(abortText((await edge.received(FrameType.abort, forbidden)).payload)).toContain(
      "not allowed on box b",
    );
    await edge.received(FrameType.end, good);
    expect(edge.closes).toEqual([]);
    expect(edge.dials).toBe(1);
  }));

test("sends each sample of this machine once, and the agent's clock, with its readings", () =>
  withOllama(async (edge) => {
    edge.send(tunnelFrame(FrameType.watch));
    const [sample] = await eventually(async () => {
      const samples = edge.readings.flatMap(({ system }) => system);
      return samples.length > 0 && samples;
    });
    expect(sample).toMatchObject({
      cpu_percent: null,
      memory_total_bytes: totalmem(),
      in_flight: 0,
      queued: 0,
    });
    const before = edge.readings.length;
    edge.cut();
    await eventually(async () => edge.dials === 2 && edge.readings.length > before);
    expect(
      edge.readings.flatMap(({ system }) => system).filter(({ at }) => at === sample?.at),
    ).toHaveLength(1);
    for (const { now_ms } of edge.readings)
      expect(Math.abs((now_ms ?? 0) - Date.now())).toBeLessThan(60_000);
  }));

test("lists open requests in its readings only while somebody is watching", () =>
  withOllama(async (edge) => {
    await eventually(async () => edge.readings.length > 0);
    const id = randomUUID();
    edge.open(
      id,
      {},
      '{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_predict":100000}}',
    );
    await edge.received(FrameType.data, id);
    expect(edge.readings.flatMap(({ requests }) => requests)).toEqual([]);
    edge.send(tunnelFrame(FrameType.watch));
    const [request] = await eventually(async () =>
      edge.readings.map(({ requests }) => requests).find((requests) => requests.length > 0),
    );
    expect(request).toMatchObject({ request_id: id, endpoint: "/api/chat", is_queued: false });
  }));

/** Runs a chat and acknowledges its answer. */
async function completeChat(
  edge: FakeEdge,
  more: { edge_ms?: number } = {},
): Promise<RequestRecord> {
  const id = randomUUID();
  edge.open(id, more);
  edge.send({
    type: FrameType.ack,
    stream: id,
    seq: (await edge.received(FrameType.end, id)).seq + 1,
    payload: NO_PAYLOAD,
  });
  return edge.recorded(id);
}

const CARD = { index: "0", uuid: "GPU-1", name: "NVIDIA L40S", driver_version: "595.80" };

test("records the energy of a request that lies between two GPU readings", () =>
  withOllama(
    async (edge) => {
      const record = await eventually(async () => {
        const record = await completeChat(edge);
        return record.energy_j !== null && record;
      });
      const boxMs = record.latency_ms - (record.edge_ms ?? 0);
      expect(record.energy_j).toBeGreaterThan(0);
      expect(record.energy_j).toBeLessThanOrEqual((150 * boxMs) / 1_000 + 0.001);
    },
    fakeSmi([
      {
        rows: [
          { ...CARD, "power.draw": "100.00" },
          { ...CARD, index: "1", "power.draw": "50.00" },
        ],
        everyMs: 300,
      },
    ]).command,
  ));

test("records no energy, without waiting, if a GPU does not report its power", () =>
  withOllama(
    async (edge) => {
      await eventually(async () => {
        edge.send(tunnelFrame(FrameType.watch));
        return edge.readings.some(({ gpu }) => gpu.samples.length > 0);
      });
      expect(await completeChat(edge)).toMatchObject({ status: "success", energy_j: null });
    },
    fakeSmi([{ rows: [{ ...CARD, "power.draw": "[N/A]" }] }]).command,
  ));

test("records the edge's part and the round trip of the current tunnel, not of an earlier one", () =>
  withOllama(async (edge) => {
    await edge.nextPing();
    const measured = await eventually(async () => {
      const record = await completeChat(edge, { edge_ms: 60_000 });
      return record.tunnel_ms !== null && record;
    });
    expect(measured.edge_ms).toBe(60_000);
    expect(measured.latency_ms).toBeGreaterThan(60_000);
    expect(measured.tunnel_ms).toBeGreaterThan(0);
    edge.answersPings = false;
    const before = edge.readings.length;
    edge.cut();
    await eventually(async () => edge.dials === 2 && edge.readings.length > before);
    expect(await completeChat(edge, { edge_ms: undefined as never })).toMatchObject({
      edge_ms: null,
      tunnel_ms: null,
    });
  }));

test("does not serve a forgotten request again if its answer had begun", () =>
  withOllama(async (edge) => {
    const id = randomUUID();
    edge.send({ type: FrameType.resume, stream: id, seq: 3, payload: NO_PAYLOAD });
    expect(abortText((await edge.received(FrameType.abort, id)).payload)).toContain(
      "has forgotten this request",
    );
    // It requests one whose answer has not begun.
    const other = randomUUID();
    edge.send({ type: FrameType.resume, stream: other, seq: 0, payload: NO_PAYLOAD });
    expect((await edge.received(FrameType.resume, other)).seq).toBe(0);
  }));

test("does not send a repeated OPEN to Ollama again", () =>
  withOllama(async (edge) => {
    const id = randomUUID();
    edge.open(id, {}, '{"model":"m","stream":false,"messages":[]}');
    const end = await edge.received(FrameType.end, id);
    edge.send({ type: FrameType.ack, stream: id, seq: end.seq + 1, payload: NO_PAYLOAD });
    expect(await edge.recorded(id)).toMatchObject({ status: "success" });
    edge.open(id);
    expect(abortText((await edge.received(FrameType.abort, id)).payload)).toContain("lost");
    expect(edge.records.filter(({ request_id }) => request_id === id)).toHaveLength(1);
  }));

test("resends an answer that was cut in the middle from the frame that the edge requests", () =>
  withOllama(async (edge) => {
    const id = randomUUID();
    edge.open(
      id,
      {},
      '{"model":"m","messages":[{"role":"user","content":"x"}],"options":{"num_predict":20}}',
    );
    const end = await edge.received(FrameType.end, id);
    const before = edge.frames.filter(
      ({ stream, type }) => stream === id && type === FrameType.data,
    );
    edge.frames.length = 0;
    edge.cut();
    await eventually(async () => edge.dials === 2);
    await eventually(async () => {
      edge.send({ type: FrameType.resume, stream: id, seq: 1, payload: NO_PAYLOAD });
      return edge.frames.some(({ type }) => type === FrameType.end);
    });
    const after = edge.frames.filter(
      ({ stream, type }) => stream === id && type === FrameType.data,
    );
    expect(after.slice(0, before.length)).toEqual(before);
    edge.send({ type: FrameType.ack, stream: id, seq: end.seq + 1, payload: NO_PAYLOAD });
    expect(await edge.recorded(id)).toMatchObject({ status: "success", completion_tokens: 20 });
  }));

test("notices a half-open link in time and dials again", () =>
  withOllama(async (edge) => {
    await eventually(async () => edge.readings.length > 0);
    await edge.nextPing(); // the worst moment: the agent has just received a pong
    const startMs = performance.now();
    edge.swallow();
    await eventually(async () => edge.dials === 2);
    expect(performance.now() - startMs).toBeLessThan(onBusyMachine(NOTICE_MS));
    expect(performance.now() - startMs).toBeGreaterThan(SILENCE_MS - 100);
  }));

test("dials again after a refusal that breaks off", async () => {
  let dials = 0;
  const server = createServer((socket) => {
    dials++;
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.write("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 1000\r\n\r\npart", () =>
        socket.destroy(),
      ),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const tunnel = new Tunnel({
    edge: {
      edgeSocket: null,
      edgeUrl: new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`),
    },
    proof: { authorization: () => null, up: () => {}, takes: () => false, received: () => {} },
    hello: () => ({
      box: "b",
      agent_id: randomUUID(),
      boot_id: randomUUID(),
      agent_version: "0",
      now_ms: 0,
      simulated: false,
    }),
    onUp: () => {},
    onDown: () => {},
    onFrames: () => {},
    log: () => {},
    now: () => performance.now(),
  });
  tunnel.start();
  await eventually(async () => dials >= 2);
  tunnel.stop();
  server.close();
});
