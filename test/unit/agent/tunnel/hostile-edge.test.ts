/**
 * A real agent against an edge that replays, forgets, or sends what no edge sends. Whatever it is told, the agent
 * goes on, asks Ollama once for one request, and has one record for it; its socket is closed for garbage alone.
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
import {
  DATA_BYTES_MAX,
  FRAME_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  SILENCE_MS,
} from "../../../../protocol/limits.ts";
import type { Open } from "../../../../protocol/messages.ts";
import { AgentProcess } from "../../../support/agent-process.ts";
import { openFrame } from "../../../support/fake-edge.ts";
import { recordOf } from "../../../support/records.ts";
import { eventually } from "../../../support/stack.ts";

/** `live`: is being answered. `over`: was answered, and its record confirmed. `unknown`: no request's. */
type Scene = { agent: AgentProcess; live: string; over: string; unknown: string };
/** What must be so after it, besides what always must. */
type Check = (scene: Scene) => Promise<void>;

const whole = (stream: string, body: string, more: Partial<Open> = {}): Frame[] => [
  openFrame(stream, more),
  { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode(body) },
  { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD },
];
const data = (stream: string, seq: number, bytes = 10): Frame => ({
  type: FrameType.data,
  stream,
  seq,
  payload: new Uint8Array(bytes),
});
const abortText = async ({ agent }: Scene, stream: string) =>
  new TextDecoder().decode((await agent.edge.received(FrameType.abort, stream)).payload);
const refusedAs =
  (why: string): Check =>
  async (scene) =>
    expect(await abortText(scene, scene.unknown)).toContain(why);

// The live stream goes on, and so does the socket.
const BORNE: [what: string, say: (scene: Scene) => Frame[], check?: Check][] = [
  ["an OPEN of a request that is being answered, again", ({ live }) => whole(live, chat(live))],
  [
    "the same with another body",
    ({ live }) => whole(live, '{"model":"other"}', { path: "/api/show", endpoint: "/api/show" }),
  ],
  [
    "an OPEN of a request that was answered, again",
    ({ over }) => whole(over, chat(over)),
    async (scene) => expect(await abortText(scene, scene.over)).toContain('"lost"'),
  ],
  [
    "every frame but OPEN of a stream that nobody knows",
    ({ unknown }) => [data(unknown, 1), ...lastWords(unknown)],
  ],
  [
    "every frame but OPEN of a stream that is over",
    ({ over }) => [data(over, 1), ...lastWords(over)],
  ],
  ["data of a live stream far ahead", ({ live }) => [data(live, 2 ** 31)]],
  [
    "data of a live stream beyond any window, before its OPEN was known",
    ({ unknown }) => Array.from({ length: 12 }, (_, i) => data(unknown, i, DATA_BYTES_MAX)),
  ],
  [
    "a RESUME of the future of a stream that nobody knows",
    ({ unknown }) => [streamFrame(FrameType.resume, unknown, 7)],
    refusedAs("has forgotten this request"),
  ],
  [
    "a RESUME of a stream that is over",
    ({ over }) => [streamFrame(FrameType.resume, over, 1)],
    async (scene) => expect(await abortText(scene, scene.over)).toContain('"lost"'),
  ],
  [
    "a RESUME of what was never acknowledged, a hundred times",
    ({ live }) => Array.from({ length: 100 }, () => streamFrame(FrameType.resume, live, 0)),
  ],
  [
    "an OPEN that is no JSON",
    ({ unknown }) => [{ ...openFrame(unknown), payload: randomBytes(200) }],
    refusedAs("does not understand"),
  ],
  [
    "an OPEN as large as a frame may be",
    ({ unknown }) => [
      { ...openFrame(unknown), payload: jsonBytes("x".repeat(FRAME_BYTES_MAX - 2)) },
    ],
    refusedAs("does not understand"),
  ],
  [
    "an OPEN after which nothing comes, and its ABORT",
    ({ unknown }) => [openFrame(unknown), abort(unknown)],
    async ({ agent, unknown }) => {
      expect(await agent.edge.recorded(unknown)).toMatchObject({ status: "cancelled" });
    },
  ],
  [
    "a body whose OPEN says that there is none",
    ({ unknown }) =>
      whole(unknown, "x".repeat(1_000), {
        method: "GET",
        path: "/api/tags",
        endpoint: "/api/tags",
      }),
    async ({ agent, unknown }) => {
      await agent.edge.received(FrameType.end, unknown);
      agent.edge.send(abort(unknown));
      await agent.edge.recorded(unknown);
    },
  ],
  ["RECORDED of a position that was never handed out", () => [recorded(Number.MAX_SAFE_INTEGER)]],
  ["RECORDED of a position of long ago", () => [recorded(0), recorded(1)]],
  ["a thousand LOOKs", () => Array.from({ length: 1_000 }, () => tunnelFrame(FrameType.watch))],
];

// The stream that it is about ends, with an error and its record; the socket goes on.
const ENDS_THE_STREAM: [what: string, say: (scene: Scene) => Frame[]][] = [
  ["an ACK beyond what was sent", ({ live }) => [streamFrame(FrameType.ack, live, 1_000_000)]],
  ["a RESUME of the future", ({ live }) => [streamFrame(FrameType.resume, live, 1_000_000)]],
  [
    "a RESUME of what was let go",
    ({ live }) => [streamFrame(FrameType.ack, live, 1), streamFrame(FrameType.resume, live, 0)],
  ],
  ["an ABORT of a code that an edge does not say", ({ live }) => [abort(live, "ollama_broke")]],
  ["an ABORT that is no JSON", ({ live }) => [{ ...abort(live), payload: randomBytes(20) }]],
  ["more after the END of a request", ({ live }) => [data(live, 3)]],
];

// The socket is closed, and the stream goes on over the next.
const GARBAGE: [what: string, message: (scene: Scene) => Uint8Array][] = [
  ["noise", () => randomBytes(500)],
  ["nothing at all", () => new Uint8Array(0)],
  ["half a frame", ({ live }) => encodeFrames([data(live, 3)]).subarray(0, HEADER_BYTES + 3)],
  ["a frame that says it is longer than any may be", () => withLength(2 ** 32 - 1)],
  [
    "a frame of one byte too many",
    ({ live }) => encodeFrames([data(live, 3, FRAME_BYTES_MAX + 1)]),
  ],
  [
    "a message that no memory should hold",
    ({ live }) =>
      encodeFrames(Array.from({ length: 40 }, () => data(live, 3, MESSAGE_BYTES_MAX / 16))),
  ],
  ["an unknown type", ({ live }) => encodeFrames([{ ...data(live, 3), type: 0x77 as FrameType }])],
  [
    "WELCOME a second time",
    () =>
      encodeFrames([
        tunnelFrame(FrameType.welcome, { edge_version: "0", now_ms: 0, heartbeat_ms: 1_000 }),
      ]),
  ],
  ["RECORDED that says no position", () => encodeFrames([recorded(-1)])],
  ...[
    tunnelFrame(FrameType.hello, {}),
    tunnelFrame(FrameType.records, { position: 1, records: [recordOf(0)] }),
    tunnelFrame(FrameType.readings, {}),
    tunnelFrame(FrameType.drain),
  ].map((frame): [string, () => Uint8Array] => [
    `frame type ${frame.type} of an agent`,
    () => encodeFrames([frame]),
  ]),
  ...([FrameType.head, FrameType.gone, FrameType.back] as const).map(
    (type): [string, (scene: Scene) => Uint8Array] => [
      `frame type ${type}, which is not for an agent`,
      ({ live }) => encodeFrames([streamFrame(type, live)]),
    ],
  ),
];

const LONG = { timeout: 60_000 };

/** One for all that its socket survives. */
let shared: AgentProcess;

beforeAll(async () => {
  shared = await AgentProcess.start();
}, LONG.timeout);

afterAll(() => shared?.[Symbol.asyncDispose]());

test.each(BORNE)("%s: borne", LONG, async (_what, say, check) => {
  const scene = await begun(shared);
  shared.edge.send(...say(scene));
  await check?.(scene);
  await shared.complete(randomUUID());
  await endsOnce(scene, "cancelled");
  expect([shared.edge.dials, shared.edge.closes]).toEqual([1, []]);
});

test.each(ENDS_THE_STREAM)("%s: ends that stream, once, and no other", LONG, async (_what, say) => {
  const scene = await begun(shared);
  shared.edge.send(...say(scene));
  await shared.complete(randomUUID());
  await endsOnce(scene, "error");
  expect([shared.edge.dials, shared.edge.closes]).toEqual([1, []]);
});

test.each(GARBAGE)(
  "%s: the socket is closed, and the stream goes on over the next",
  LONG,
  async (_what, message) => {
    await using agent = await AgentProcess.start();
    const { edge } = agent;
    const scene = await begun(agent);
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
    await endsOnce(scene, "cancelled");
    expect(edge.dials).toBe(2);
  },
);

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

test(
  "paths that the agent must not allow never reach Ollama, whatever the edge says they are",
  LONG,
  async () => {
    await using agent = await AgentProcess.start();
    const { edge, ollama } = agent;
    for (const [method, path, endpoint] of FORBIDDEN) {
      const id = randomUUID();
      edge.send(...whole(id, "{}", { method, path, endpoint }));
      const text = new TextDecoder().decode((await edge.received(FrameType.abort, id)).payload);
      expect(text, path).toContain('"bad_request"');
    }
    await agent.complete(randomUUID());
    const asked = ollama.requests().map(({ method, path }) => `${method} ${path}`);
    expect(new Set(asked)).toEqual(
      new Set(["GET /api/version", "GET /api/tags", "GET /api/ps", "POST /api/chat"]),
    ); // three are its own
    expect([edge.dials, edge.closes, edge.records.length]).toEqual([1, [], 1]);
  },
);

test(
  "an agent that was killed while it answered has one record of it, and asks Ollama no second time",
  LONG,
  async () => {
    await using agent = await AgentProcess.start();
    const { edge } = agent;
    const scene = await begun(agent);
    const asked = randomUUID();
    agent.begin(asked, 100_000);
    await edge.received(FrameType.data, asked);
    await agent.restart();
    agent.begin(scene.live, 3);
    edge.send(streamFrame(FrameType.resume, asked, 2), ...whole(scene.over, chat(scene.over)));
    for (const id of [scene.live, asked, scene.over])
      expect(await abortText(scene, id)).toContain('"lost"');
    await agent.complete(randomUUID());
    await endsOnce({ ...scene, live: asked }, "error");
    await endsOnce(scene, "error");
  },
);

test(
  "records that the edge confirms wrongly, or not at all, are sent until it has them",
  LONG,
  async () => {
    await using agent = await AgentProcess.start();
    const { edge } = agent;
    edge.isConfirming = false;
    const ids = Array.from({ length: 5 }, () => randomUUID());
    await Promise.all(ids.map((id) => agent.complete(id)));
    edge.send(recorded(Number.MAX_SAFE_INTEGER), recorded(0));
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
    // Killed before it had written down that they were confirmed, it may send them again, and no others.
    await agent.restart();
    const last = await agent.complete(randomUUID());
    expect(new Set(edge.records.map(({ request_id }) => request_id))).toEqual(
      new Set([...ids, last.request_id]),
    );
  },
);

test("an agent that was held up itself does not take its own silence for that of the link", {
  timeout: 30_000,
}, async () => {
  await using agent = await AgentProcess.start();
  await agent.complete(randomUUID());
  const dials = agent.edge.dials;
  await agent.standStill(SILENCE_MS + 500);
  await agent.complete(randomUUID());
  expect(agent.edge.dials).toBe(dials);
});

test("10,000 OPENs at once: each asked for once at most, and recorded once, though they may choke the tunnel", {
  timeout: 180_000,
}, async () => {
  const OPENS = 10_000;
  await using agent = await AgentProcess.start();
  const { edge } = agent;
  const ids = Array.from({ length: OPENS }, () => randomUUID());
  const request = (id: string) =>
    whole(id, `{"model":"m","words":"${id}"}`, {
      path: "/api/show",
      endpoint: "/api/show",
      stream: false,
    });
  for (const id of ids) edge.send(...request(id));
  /** The number that is expected next, of each that has not ended. */
  const open = new Map<string, number>(ids.map((id) => [id, 0]));
  let [heard, ups] = [0, edge.readings.length];
  const goesOn = async () => {
    // Readings come when a tunnel is up: if it is another one, the streams go on there.
    if (edge.readings.length > ups)
      for (const [id, next] of open) edge.send(streamFrame(FrameType.resume, id, next));
    ups = edge.readings.length;
    for (const { type, stream, seq } of edge.frames.slice(heard)) {
      if (type === FrameType.resume) edge.send(...request(stream).slice(seq));
      else if (type < FrameType.ack && open.has(stream)) open.set(stream, seq + 1);
      if (type === FrameType.end) {
        open.delete(stream);
        edge.send(streamFrame(FrameType.ack, stream, seq + 1));
      }
    }
    heard = edge.frames.length;
    return edge.records.length >= OPENS;
  };
  while (!(await goesOn())) await new Promise((resolve) => setTimeout(resolve, 20));
  const bodies = agent.ollama.requests().filter(({ path }) => path === "/api/show");
  expect(new Set(bodies.map(({ body }) => body.toString())).size).toBe(bodies.length);
  expect(new Set(edge.records.map(({ request_id }) => request_id))).toEqual(new Set(ids));
  expect(edge.records).toHaveLength(OPENS);
  expect(agent.isAlive).toBe(true);
});

/** An agent in the middle of one request, and after another. */
async function begun(agent: AgentProcess): Promise<Scene> {
  const [live, over, unknown] = [randomUUID(), randomUUID(), randomUUID()];
  await agent.complete(over);
  agent.begin(live, 100_000);
  await agent.edge.received(FrameType.data, live);
  return { agent, live, over, unknown };
}

/** What always holds. Ends the live stream, where nothing has. */
async function endsOnce(
  { agent, live, over, unknown }: Scene,
  status: "cancelled" | "error",
): Promise<void> {
  const { edge } = agent;
  if (status === "cancelled") {
    expect(
      edge.frames.filter(({ stream, type }) => stream === live && type === FrameType.abort),
    ).toEqual([]);
    edge.send(abort(live));
  }
  expect(await edge.recorded(live)).toMatchObject({ status });
  for (const id of [live, over]) expect(agent.requestsOf(id), "requests to Ollama").toBe(1);
  expect(agent.requestsOf(unknown)).toBeLessThanOrEqual(1);
  const ids = edge.records.map(({ request_id }) => request_id);
  expect(
    ids.filter((id, at) => ids.indexOf(id) !== at),
    "recorded twice",
  ).toEqual([]);
  expect(agent.isAlive).toBe(true);
  expect(agent.lines.filter((line) => /uncaught|unhandled/i.test(line))).toEqual([]);
}

const chat = (id: string) =>
  JSON.stringify({ model: "m", messages: [{ role: "user", content: id }] });
const abort = (stream: string, code = "caller_gone") =>
  streamFrame(FrameType.abort, stream, 0, jsonBytes({ code, message: "x" }));
const recorded = (position: number) => tunnelFrame(FrameType.recorded, { position });
const lastWords = (stream: string): Frame[] => [
  { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD },
  streamFrame(FrameType.ack, stream, 5),
  abort(stream),
];

function withLength(length: number): Uint8Array {
  const bytes = encodeFrames([tunnelFrame(FrameType.watch)]);
  new DataView(bytes.buffer).setUint32(HEADER_BYTES - 4, length);
  return bytes;
}
