/**
 * A real agent against an edge that replays, forgets, or sends frames that no edge sends. The agent
 * always goes on, sends Ollama exactly one request for each stream, and has one record of it. Only
 * garbage closes its socket.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  encodeFrames,
  type Frame,
  FrameType,
  HEADER_BYTES,
  jsonBytes,
  NO_PAYLOAD,
  streamFrame,
  tunnelFrame,
} from "../../../../protocol/frames.ts";
import { DATA_BYTES_MAX, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX } from "../../../../protocol/limits.ts";
import { AgentProcess } from "../../../support/agent-process.ts";
import { openFrame } from "../../../support/fake-edge.ts";
import { recordOf } from "../../../support/records.ts";
import { eventually } from "../../../support/stack.ts";
import {
  abortOf,
  abortText,
  beginScene,
  chatOf,
  dataFrame,
  expectOneRecordEach,
  recordedFrame,
  type Scene,
  wholeRequest,
} from "./hostile-scene.ts";

/** A condition of one case, besides the invariants of all. */
type Check = (scene: Scene) => Promise<void>;

const refusedAs =
  (reason: string): Check =>
  async (scene) =>
    expect(await abortText(scene, scene.unknown)).toContain(reason);

const laterFrames = (stream: string): Frame[] => [
  { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD },
  streamFrame(FrameType.ack, stream, 5),
  abortOf(stream),
];

// The live stream and the socket go on.
const TOLERATED: [name: string, framesOf: (scene: Scene) => Frame[], check?: Check][] = [
  [
    "an OPEN of a request that is being answered, again",
    ({ live }) => wholeRequest(live, chatOf(live)),
  ],
  [
    "an OPEN of a request that is being answered, with another body",
    ({ live }) =>
      wholeRequest(live, '{"model":"other"}', { path: "/api/show", endpoint: "/api/show" }),
  ],
  [
    "an OPEN of a request that was answered, again",
    ({ over }) => wholeRequest(over, chatOf(over)),
    async (scene) => expect(await abortText(scene, scene.over)).toContain('"lost"'),
  ],
  [
    "every frame except OPEN, of an unknown stream",
    ({ unknown }) => [dataFrame(unknown, 1), ...laterFrames(unknown)],
  ],
  [
    "every frame except OPEN, of a stream that is over",
    ({ over }) => [dataFrame(over, 1), ...laterFrames(over)],
  ],
  ["DATA of a live stream far ahead", ({ live }) => [dataFrame(live, 2 ** 31)]],
  [
    "DATA beyond any window, before its OPEN",
    ({ unknown }) => Array.from({ length: 12 }, (_, i) => dataFrame(unknown, i, DATA_BYTES_MAX)),
  ],
  [
    "a RESUME of later frames of an unknown stream",
    ({ unknown }) => [streamFrame(FrameType.resume, unknown, 7)],
    refusedAs("has forgotten this request"),
  ],
  [
    "a RESUME of a stream that is over",
    ({ over }) => [streamFrame(FrameType.resume, over, 1)],
    async (scene) => expect(await abortText(scene, scene.over)).toContain('"lost"'),
  ],
  [
    "a hundred RESUMEs of frames that were never acknowledged",
    ({ live }) => Array.from({ length: 100 }, () => streamFrame(FrameType.resume, live, 0)),
  ],
  [
    "an OPEN that is not JSON",
    ({ unknown }) => [{ ...openFrame(unknown), payload: randomBytes(200) }],
    refusedAs("cannot parse the OPEN"),
  ],
  [
    "an OPEN as large as a frame may be",
    ({ unknown }) => [
      { ...openFrame(unknown), payload: jsonBytes("x".repeat(FRAME_BYTES_MAX - 2)) },
    ],
    refusedAs("cannot parse the OPEN"),
  ],
  [
    "an OPEN that is followed by its ABORT alone",
    ({ unknown }) => [openFrame(unknown), abortOf(unknown)],
    async ({ agent, unknown }) => {
      expect(await agent.edge.recorded(unknown)).toMatchObject({ status: "cancelled" });
    },
  ],
  [
    "a body after an OPEN of a method without one",
    ({ unknown }) =>
      wholeRequest(unknown, "x".repeat(1_000), {
        method: "GET",
        path: "/api/tags",
        endpoint: "/api/tags",
      }),
    async ({ agent, unknown }) => {
      await agent.edge.received(FrameType.end, unknown);
      agent.edge.send(abortOf(unknown));
      await agent.edge.recorded(unknown);
    },
  ],
  ["RECORDED of a position that was never sent", () => [recordedFrame(Number.MAX_SAFE_INTEGER)]],
  ["RECORDED of an old position", () => [recordedFrame(0), recordedFrame(1)]],
  ["a thousand WATCHes", () => Array.from({ length: 1_000 }, () => tunnelFrame(FrameType.watch))],
];

// The stream ends with an error and its record. The socket goes on.
const ENDS_THE_STREAM: [name: string, framesOf: (scene: Scene) => Frame[]][] = [
  [
    "an ACK of frames that were never sent",
    ({ live }) => [streamFrame(FrameType.ack, live, 1_000_000)],
  ],
  [
    "a RESUME of frames that were never sent",
    ({ live }) => [streamFrame(FrameType.resume, live, 1_000_000)],
  ],
  [
    "a RESUME of frames that were acknowledged",
    ({ live }) => [streamFrame(FrameType.ack, live, 1), streamFrame(FrameType.resume, live, 0)],
  ],
  ["an ABORT with a code of an agent", ({ live }) => [abortOf(live, "ollama_broke")]],
  ["an ABORT that is not JSON", ({ live }) => [{ ...abortOf(live), payload: randomBytes(20) }]],
  ["DATA after the END of a request", ({ live }) => [dataFrame(live, 3)]],
];

// The socket is closed, and the stream goes on over the next one.
const GARBAGE: [name: string, message: (scene: Scene) => Uint8Array][] = [
  ["noise", () => randomBytes(500)],
  ["an empty message", () => new Uint8Array(0)],
  ["half a frame", ({ live }) => encodeFrames([dataFrame(live, 3)]).subarray(0, HEADER_BYTES + 3)],
  ["a header with a length beyond any limit", () => withLength(2 ** 32 - 1)],
  [
    "a frame that is one byte too long",
    ({ live }) => encodeFrames([dataFrame(live, 3, FRAME_BYTES_MAX + 1)]),
  ],
  [
    "a message of many megabytes",
    ({ live }) =>
      encodeFrames(Array.from({ length: 40 }, () => dataFrame(live, 3, MESSAGE_BYTES_MAX / 16))),
  ],
  [
    "an unknown type",
    ({ live }) => encodeFrames([{ ...dataFrame(live, 3), type: 0x77 as FrameType }]),
  ],
  [
    "a second WELCOME",
    () =>
      encodeFrames([
        tunnelFrame(FrameType.welcome, { edge_version: "0", now_ms: 0, heartbeat_ms: 1_000 }),
      ]),
  ],
  ["RECORDED with an invalid position", () => encodeFrames([recordedFrame(-1)])],
  ...[
    tunnelFrame(FrameType.hello, {}),
    tunnelFrame(FrameType.records, { position: 1, records: [recordOf(0)] }),
    tunnelFrame(FrameType.readings, {}),
    tunnelFrame(FrameType.drain),
  ].map((frame): [string, () => Uint8Array] => [
    `frame type ${frame.type}, which only an agent sends`,
    () => encodeFrames([frame]),
  ]),
  ...([FrameType.head, FrameType.gone, FrameType.back] as const).map(
    (type): [string, (scene: Scene) => Uint8Array] => [
      `frame type ${type}, which is not meant for an agent`,
      ({ live }) => encodeFrames([streamFrame(type, live)]),
    ],
  ),
];

/** Shared by the tests that its socket survives. */
let shared: AgentProcess;

beforeAll(async () => {
  shared = await AgentProcess.start();
});

afterAll(() => shared?.[Symbol.asyncDispose]());

test.each(TOLERATED)("tolerates %s", async (_name, framesOf, check) => {
  const scene = await beginScene(shared);
  shared.edge.send(...framesOf(scene));
  await check?.(scene);
  await shared.complete(randomUUID());
  await expectOneRecordEach(scene, "cancelled");
  expect([shared.edge.dials, shared.edge.closes]).toEqual([1, []]);
});

test.each(ENDS_THE_STREAM)("ends one stream, once, after %s", async (_name, framesOf) => {
  const scene = await beginScene(shared);
  shared.edge.send(...framesOf(scene));
  await shared.complete(randomUUID());
  await expectOneRecordEach(scene, "error");
  expect([shared.edge.dials, shared.edge.closes]).toEqual([1, []]);
});

test.each(GARBAGE)(
  "closes the socket after %s, and the stream goes on over the next one",
  async (_name, message) => {
    await using agent = await AgentProcess.start();
    const { edge } = agent;
    const scene = await beginScene(agent);
    edge.sendBytes(message(scene));
    await eventually(async () => edge.dials === 2 && edge.closes.length === 1);
    expect(edge.closes[0]).toSatisfy((code: number) => code === 1002 || code === 1009);
    const next =
      1 +
      Math.max(
        ...edge.frames
          .filter(({ stream, type }) => stream === scene.live && type < FrameType.ack)
          .map(({ seq }) => seq),
      );
    await eventually(async () => {
      edge.send(streamFrame(FrameType.resume, scene.live, next));
      return edge.frames.some(({ stream, seq }) => stream === scene.live && seq === next);
    });
    await agent.complete(randomUUID());
    await expectOneRecordEach(scene, "cancelled");
    expect(edge.dials).toBe(2);
  },
);

function withLength(length: number): Uint8Array {
  const bytes = encodeFrames([tunnelFrame(FrameType.watch)]);
  new DataView(bytes.buffer).setUint32(HEADER_BYTES - 4, length);
  return bytes;
}
