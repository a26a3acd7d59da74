/**
 * Both ends, and the relay between them, under fuzzed messages: they refuse a message or take it,
 * and its effect stays with its stream.
 */

import { Spool } from "../../agent/spool/spool.ts";
import { Outgoing } from "../../agent/tunnel/outgoing.ts";
import { decodeFrames, FrameType, jsonBytes } from "../../protocol/frames.ts";
import type { Open } from "../../protocol/messages.ts";
import type { EdgeStreamActions } from "../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../worker/gateway/stream/edge-stream-core.ts";
import { newPulse } from "../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../support/chat-open.ts";
import { tableWith } from "../support/stream-table.ts";
import { Chance } from "./chance.ts";
import { SimulatedDisk } from "./disk.ts";
import { type Fuzzed, framesIn, fuzzedMessage, isRefusal, markOf } from "./fuzz.ts";
import { fuzzBox } from "./fuzzed-box.ts";
import { type AnswerPlan, SimulatedOllama } from "./ollama.ts";
import { Schedule } from "./schedule.ts";

/** Streams end soon under fuzz, so both ends are replaced after this many messages. */
const MESSAGES_PER_LIFE = 50;

const OPEN: Open = {
  ...CHAT_OPEN,
  method: "GET",
  path: "/api/tags",
  endpoint: "/api/tags",
  model: null,
  stream: false,
};
const PLAN: AnswerPlan = {
  status: 200,
  type: "text/plain",
  bytes: 900,
  saysLength: false,
  waitMs: 1,
  gapMs: 1,
  chunkBytes: 300,
  breaksAfter: null,
};

/** @throws if an end, or the Box, does anything but refuse a message or take it */
export async function fuzz(seed: number, frames: number): Promise<Fuzzed> {
  const chance = new Chance(seed);
  const sum: Fuzzed = { messages: 0, frames: 0, refused: 0, streams: 0 };
  while (sum.frames < frames) {
    fuzzAgent(chance, sum);
    fuzzEdge(chance, sum);
    await fuzzBox(chance, sum, MESSAGES_PER_LIFE, jsonBytes(OPEN));
  }
  return sum;
}

function fuzzAgent(chance: Chance, sum: Fuzzed): void {
  const schedule = new Schedule();
  const after = (ms: number, run: () => void) => schedule.after(ms, run);
  const spool = Spool.open("spool", {
    now: () => schedule.nowMs,
    log: () => {},
    disk: new SimulatedDisk(chance).of(after),
    after,
  });
  const ids = Array.from({ length: 3 }, () => chance.id(0));
  const sent = new Set<string>();
  const outgoing = new Outgoing(
    (message) => {
      for (const { stream } of decodeFrames(message)) sent.add(stream);
    },
    {
      atEnd: (run) => void after(0, run),
      after,
      now: () => schedule.nowMs,
    },
  );
  outgoing.isOpen = true;
  const ollama = new SimulatedOllama(
    chance,
    () => schedule.nowMs,
    () => PLAN,
    () => {},
  );
  const table = tableWith({
    ollama: ollama.client(after),
    spool,
    outgoing,
    now: () => schedule.nowMs,
  });
  const received = new Set<string>();
  for (let i = 0; i < MESSAGES_PER_LIFE; i++) {
    feed(sum, fuzzedMessage(chance, ids, jsonBytes(OPEN)), (message) => {
      for (const frame of decodeFrames(message)) {
        sum.frames++;
        received.add(frame.stream);
        if (frame.type >= FrameType.open) table.receive(frame);
      }
    });
    while (schedule.step(schedule.nowMs + chance.whole(0, 3)));
  }
  sum.streams += ollama.exchanges.length;
  for (const stream of sent)
    if (!received.has(stream))
      throw new Error(`the agent sent a frame of stream ${stream}, which it cannot know`);
  table.giveUp("over");
  if (table.size !== 0) throw new Error("a stream did not end");
  spool.close();
}

function fuzzEdge(chance: Chance, sum: Fuzzed): void {
  const ids = Array.from({ length: 3 }, () => chance.id(0));
  const cores = new Map(
    ids.map((id) => [
      id,
      new EdgeStreamCore(
        { id, box: "box", open: OPEN },
        chance.isLikely(0.5) ? new Uint8Array(10) : null,
        newPulse(),
        chance.random,
      ),
    ]),
  );
  const ended = new Map(ids.map((id) => [id, 0]));
  const check = (id: string, acts: EdgeStreamActions): void => {
    for (const { stream } of acts.frames)
      if (stream !== id) throw new Error("a frame of another stream");
    if (acts.ended !== null) ended.set(id, (ended.get(id) ?? 0) + 1);
    const mark = markOf(id);
    if (acts.finish === null && acts.write?.some((byte) => byte !== mark))
      throw new Error("bytes of another stream");
    if ((ended.get(id) ?? 0) > 1) throw new Error("a stream ended twice");
  };
  for (const [id, core] of cores) check(id, core.begin(0, core.open()));
  for (let i = 0; i < MESSAGES_PER_LIFE; i++) {
    const id = chance.pick(ids);
    const core = cores.get(id);
    if (core === undefined) continue;
    feed(
      sum,
      fuzzedMessage(chance, chance.isLikely(0.9) ? [id] : ids, jsonBytes(OPEN)),
      (message) => {
        // The shell passes every message to the core, which refuses it by ending the stream.
        sum.frames += framesIn(message);
        check(id, core.received(message, i));
      },
    );
    if (chance.isLikely(0.5)) check(id, core.wrote());
    if (chance.isLikely(0.1)) check(id, core.tick(i));
  }
  for (const [id, core] of cores) {
    check(id, core.callerGone(MESSAGES_PER_LIFE));
    if (!core.isOver || ended.get(id) !== 1) throw new Error("a stream did not end exactly once");
  }
  sum.streams += ids.length;
}

function feed(sum: Fuzzed, message: Uint8Array, act: (message: Uint8Array) => void): void {
  sum.messages++;
  try {
    act(message);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    sum.refused++;
  }
}
