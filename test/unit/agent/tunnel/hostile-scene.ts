/**
 * The scene of the hostile-edge tests: a real agent with one request that is being answered and one
 * that is over.
 */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import {
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  streamFrame,
  tunnelFrame,
} from "../../../../protocol/frames.ts";
import type { Open } from "../../../../protocol/messages.ts";
import type { AgentProcess } from "../../../support/agent-process.ts";
import { openFrame } from "../../../support/fake-edge.ts";

/**
 * `live`: being answered. `over`: answered, its record confirmed. `unknown`: not an id of any
 * request.
 */
export type Scene = { agent: AgentProcess; live: string; over: string; unknown: string };

export const wholeRequest = (stream: string, body: string, more: Partial<Open> = {}): Frame[] => [
  openFrame(stream, more),
  { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode(body) },
  { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD },
];

export const dataFrame = (stream: string, seq: number, bytes = 10): Frame => ({
  type: FrameType.data,
  stream,
  seq,
  payload: new Uint8Array(bytes),
});

export const abortOf = (stream: string, code = "caller_gone"): Frame =>
  streamFrame(FrameType.abort, stream, 0, jsonBytes({ code, message: "x" }));

export const recordedFrame = (position: number): Frame =>
  tunnelFrame(FrameType.recorded, { position });

/** The body of a chat that `AgentProcess` counts as a request of that id. */
export const chatOf = (id: string): string =>
  JSON.stringify({ model: "m", messages: [{ role: "user", content: id }] });

/** Waits for the agent's ABORT of a stream. @returns its payload */
export const abortText = async ({ agent }: Scene, stream: string): Promise<string> =>
  new TextDecoder().decode((await agent.edge.received(FrameType.abort, stream)).payload);

export async function beginScene(agent: AgentProcess): Promise<Scene> {
  const [live, over, unknown] = [randomUUID(), randomUUID(), randomUUID()];
  await agent.complete(over);
  agent.begin(live, 100_000);
  await agent.edge.received(FrameType.data, live);
  return { agent, live, over, unknown };
}

/**
 * Checks the invariants of every scene: one record and one local request each. Ends the live
 * stream, if it is still open.
 */
export async function expectOneRecordEach(
  { agent, live, over, unknown }: Scene,
  status: "cancelled" | "error",
): Promise<void> {
  const { edge } = agent;
  if (status === "cancelled") {
    expect(
      edge.frames.filter(({ stream, type }) => stream === live && type === FrameType.abort),
    ).toEqual([]);
    edge.send(abortOf(live));
  }
  expect(await edge.recorded(live)).toMatchObject({ status });
  for (const id of [live, over]) expect(agent.requestsOf(id), "requests to Ollama").toBe(1);
  expect(agent.requestsOf(unknown)).toBeLessThanOrEqual(1);
  // A batch that is not confirmed within seconds is sent again, and the edge counts an id once.
  for (const record of edge.records)
    expect(edge.records.find(({ request_id }) => request_id === record.request_id)).toEqual(record);
  expect(agent.isAlive).toBe(true);
  expect(agent.lines.filter((line) => /uncaught|unhandled/i.test(line))).toEqual([]);
}
