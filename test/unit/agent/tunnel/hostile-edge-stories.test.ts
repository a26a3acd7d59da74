/**
 * A real agent against an edge that misbehaves for longer: forbidden paths, lost confirmations,
 * kills, pauses and floods.
 */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { FrameType, streamFrame, tunnelFrame } from "../../../../protocol/frames.ts";
import { SILENCE_MS } from "../../../../protocol/limits.ts";
import type { Open } from "../../../../protocol/messages.ts";
import type { RequestRecord } from "../../../../protocol/records.ts";
import { AgentProcess } from "../../../support/agent-process.ts";
import { eventually } from "../../../support/stack.ts";
import {
  abortText,
  beginScene,
  chatOf,
  expectOneRecordEach,
  recordedFrame,
  wholeRequest,
} from "./hostile-scene.ts";

const FORBIDDEN: [method: Open["method"], path: string, endpoint: string][] = [
  ["POST", "/api/delete", "/api/delete"],
  ["GET", "/api/me", "/api/me"],
  ["POST", "/api/chat", "/api/generate"],
  ["POST", "//api/chat", "/api/chat"],
  ["POST", "/api/../api/chat", "/api/chat"],
  ["POST", "/api/%63hat", "/api/chat"],
  ["POST", "/api/chat?x=1\r\nX-Evil: 1", "/api/chat"],
  ["GET", "/_simulated/requests", "/_simulated/requests"],
  ["GET", "/api/blobs/sha256:../../etc/passwd", "/api/blobs/:digest"],
];

test("never sends Ollama a path outside the allowlist, whatever endpoint the edge claims", async () => {
  await using agent = await AgentProcess.start();
  const { edge, ollama } = agent;
  for (const [method, path, endpoint] of FORBIDDEN) {
    const id = randomUUID();
    edge.send(...wholeRequest(id, "{}", { method, path, endpoint }));
    const text = new TextDecoder().decode((await edge.received(FrameType.abort, id)).payload);
    expect(text, path).toContain('"bad_request"');
  }
  await agent.complete(randomUUID());
  const sent = ollama.requests().map(({ method, path }) => `${method} ${path}`);
  expect(new Set(sent)).toEqual(
    new Set(["GET /api/version", "GET /api/tags", "GET /api/ps", "POST /api/chat"]),
  ); // three are its own
  expect([edge.dials, edge.closes, edge.records.length]).toEqual([1, [], 1]);
});

test("has one record and one local request of each stream after an agent is killed while it answers", async () => {
  await using agent = await AgentProcess.start();
  const { edge } = agent;
  const scene = await beginScene(agent);
  const answering = randomUUID();
  agent.begin(answering, 100_000);
  await edge.received(FrameType.data, answering);
  await agent.restart();
  agent.begin(scene.live, 3);
  edge.send(
    streamFrame(FrameType.resume, answering, 2),
    ...wholeRequest(scene.over, chatOf(scene.over)),
  );
  for (const id of [scene.live, answering, scene.over])
    expect(await abortText(scene, id)).toContain('"lost"');
  await agent.complete(randomUUID());
  await expectOneRecordEach({ ...scene, live: answering }, "error");
  await expectOneRecordEach(scene, "error");
});

test("sends records again until the edge confirms them, even after wrong confirmations", async () => {
  await using agent = await AgentProcess.start();
  const { edge } = agent;
  edge.isConfirming = false;
  const ids = Array.from({ length: 5 }, () => randomUUID());
  await Promise.all(ids.map((id) => agent.complete(id)));
  edge.send(recordedFrame(Number.MAX_SAFE_INTEGER), recordedFrame(0));
  const spooled = async () => {
    edge.send(tunnelFrame(FrameType.watch));
    return edge.readings.at(-1)?.spooled;
  };
  edge.readings.length = 0;
  await eventually(async () => (await spooled()) === ids.length);
  edge.isConfirming = true;
  edge.records.length = 0;
  edge.cut();
  await eventually(async () => edge.dials === 2 && edge.records.length >= ids.length);
  expect(edge.records.map(({ request_id }) => request_id).sort()).toEqual([...ids].sort());
  // If it was killed before it noted the confirmation, it may send them again, but no others.
  await agent.restart();
  const last = await agent.complete(randomUUID());
  expect(new Set(edge.records.map(({ request_id }) => request_id))).toEqual(
    new Set([...ids, last.request_id]),
  );
});

test("does not take a pause of its own process for a silent link", async () => {
  await using agent = await AgentProcess.start();
  await agent.complete(randomUUID());
  const dials = agent.edge.dials;
  await agent.standStill(SILENCE_MS + 500);
  await agent.complete(randomUUID());
  expect(agent.edge.dials).toBe(dials);
});

test("records each of 3,000 OPENs at once exactly once, even if they choke the tunnel", async () => {
  const OPENS = 3_000;
  await using agent = await AgentProcess.start();
  const { edge } = agent;
  // Until the models are known, requests wait for them and then start together.
  await eventually(async () => edge.readings.some(({ inventory }) => inventory.models.length > 0));
  const ids = Array.from({ length: OPENS }, () => randomUUID());
  const request = (id: string) =>
    wholeRequest(id, `{"model":"m","words":"${id}"}`, {
      path: "/api/show",
      endpoint: "/api/show",
      stream: false,
    });
  for (const id of ids) edge.send(...request(id));
  /** The next frame number of each stream that has not ended. */
  const open = new Map<string, number>(ids.map((id) => [id, 0]));
  /** A batch that is not confirmed within seconds is sent again, and the edge counts an id once. */
  const recorded = new Map<string, RequestRecord>();
  let [seen, counted, ups] = [0, 0, edge.readings.length];
  const goesOn = async () => {
    // READINGS follow each WELCOME. On a new tunnel, the streams are resumed.
    if (edge.readings.length > ups)
      for (const [id, next] of open) edge.send(streamFrame(FrameType.resume, id, next));
    ups = edge.readings.length;
    for (const { type, stream, seq } of edge.frames.slice(seen)) {
      if (type === FrameType.resume) edge.send(...request(stream).slice(seq));
      else if (type < FrameType.ack && open.has(stream)) open.set(stream, seq + 1);
      if (type === FrameType.end) {
        open.delete(stream);
        edge.send(streamFrame(FrameType.ack, stream, seq + 1));
      }
    }
    seen = edge.frames.length;
    for (const record of edge.records.slice(counted)) {
      expect(record).toEqual(recorded.get(record.request_id) ?? record);
      recorded.set(record.request_id, record);
    }
    counted = edge.records.length;
    return recorded.size >= OPENS;
  };
  while (!(await goesOn())) await new Promise((resolve) => setTimeout(resolve, 20));
  const bodies = agent.ollama.requests().filter(({ path }) => path === "/api/show");
  expect(new Set(bodies.map(({ body }) => body.toString())).size).toBe(bodies.length);
  expect(new Set(recorded.keys())).toEqual(new Set(ids));
  expect(agent.isAlive).toBe(true);
});
