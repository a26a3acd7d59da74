/**
 * The relay under fuzzed messages of its agent: only the socket that they came from is closed, and
 * no stream receives a frame of another.
 */
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameType,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { Relay } from "../../worker/box/relay.ts";
import { type Attachment, OPEN, type RelaySocket } from "../../worker/box/sockets.ts";
import { helloOf } from "../support/records.ts";
import type { Chance } from "./chance.ts";
import { type Fuzzed, framesIn, fuzzedMessage } from "./fuzz.ts";

/** Sockets that only collect frames. */
class FuzzedSocket implements RelaySocket {
  readyState = OPEN;
  closedWith: number | null = null;
  readonly frames: Frame[] = [];
  send(message: Uint8Array): void {
    this.frames.push(...decodeFrames(message));
  }
  close(code: number): void {
    this.closedWith ??= code;
    this.readyState = 3;
  }
}

/**
 * @param open  a payload of OPEN
 * @throws if the effect goes beyond the one bad socket
 */
export async function fuzzBox(
  chance: Chance,
  sum: Fuzzed,
  messages: number,
  open: Uint8Array,
): Promise<void> {
  const attachments = new Map<FuzzedSocket, Attachment>();
  const done = () => Promise.resolve();
  const core = new Relay<FuzzedSocket>({
    sockets: {
      accept: (socket, attachment) => void attachments.set(socket, attachment),
      accepted: (tag) =>
        [...attachments]
          .filter(([, at]) => at.kind === tag || (at.kind === "stream" && at.id === tag))
          .map(([socket]) => socket),
      attachmentOf: (socket) => attachments.get(socket) ?? unaccepted(),
      attach: (socket, attachment) => void attachments.set(socket, attachment),
      pingedMs: () => null,
    },
    registry: () => ({
      connected: () => Promise.resolve({ keep_text: true }),
      draining: done,
      read: done,
      gone: done,
      report: done,
    }),
    ended: () => {},
    certify: () => Promise.reject(new Error("no box has joined")),
    welcome: () => ({ edge_version: "0.0.0", now_ms: 0, heartbeat_ms: 1_000 }),
    now: () => 0,
    wait: () => new Promise(() => {}),
    meanwhile: () => {},
    log: () => {},
  });
  const ids = Array.from({ length: 3 }, () => chance.id(0));
  const streams = new Map(ids.map((id) => [id, new FuzzedSocket()]));
  for (const [id, socket] of streams)
    core.attach(socket, { box: "box", id, isResume: true, model: null, key: null }, null);
  const hello = encodeFrames([tunnelFrame(FrameType.hello, helloOf("box"))]);
  const agents: FuzzedSocket[] = [];
  for (let i = 0; i < messages; i++) {
    let agent = agents.at(-1);
    if (agent === undefined || agent.closedWith !== null) {
      agent = new FuzzedSocket();
      agents.push(agent);
      core.connect(agent, "box");
      if (chance.isLikely(0.9)) await core.received(agent, hello);
    }
    const before = new Map(ids.map((id) => [id, streams.get(id)?.frames.length ?? 0]));
    const message = fuzzedMessage(chance, ids, open);
    sum.messages++;
    sum.frames += framesIn(message);
    await core.received(agent, message);
    if (agent.closedWith !== null) sum.refused++;
    for (const [id, socket] of streams) {
      if (socket.closedWith !== null)
        throw new Error("the Box closed a stream's socket because of its agent");
      for (const frame of socket.frames.slice(before.get(id)))
        if (frame.stream !== id) throw new Error("a frame of another stream");
    }
  }
  if (agents.slice(0, -1).some(({ closedWith }) => closedWith === null))
    throw new Error("an old socket of the agent is still open");
  sum.streams += ids.length;
}

function unaccepted(): never {
  throw new Error("a socket that was never accepted");
}
