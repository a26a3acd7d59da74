/** The number of messages in which an agent sends streamed answers: each one is billed at the edge. */
import { expect, test } from "vitest";
import { Outgoing } from "../../../../agent/tunnel/outgoing.ts";
import { AgentStreamCore } from "../../../../agent/tunnel/stream-core.ts";
import { FrameType, jsonBytes, NO_PAYLOAD } from "../../../../protocol/frames.ts";
import {
  CALLERS,
  STREAM_MESSAGES,
  TOKEN_MS,
  TOKENS,
} from "../../../support/cost/stream-messages.ts";

/** A clock that jumps from event to event. */
class Events {
  nowMs = 0;
  #events: { atMs: number; run: () => void }[] = [];

  after = (ms: number, run: () => void): (() => void) => {
    const event = { atMs: this.nowMs + ms, run };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  };

  run(): void {
    for (;;) {
      const next = this.#events.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) return;
      this.#events = this.#events.filter((event) => event !== next);
      this.nowMs = next.atMs;
      next.run();
    }
  }
}

/** Streams answers that begin within one token of each other. @returns the number of messages */
function messagesOf(streams: number): number {
  const events = new Events();
  let messages = 0;
  const outgoing = new Outgoing(
    () => {
      messages++;
    },
    {
      atEnd: (run) => void events.after(0, run),
      after: events.after,
      now: () => events.nowMs,
    },
  );
  outgoing.isOpen = true;
  const line = jsonBytes({ model: "llama3.2", message: { role: "assistant", content: " token" } });
  for (let stream = 0; stream < streams; stream++) {
    const id = `0190b5a0-0000-7000-8000-${String(stream).padStart(12, "0")}`;
    const core = new AgentStreamCore(id, false, { stream: true });
    const send = ({ ready }: ReturnType<typeof core.answerEnd>) => {
      if (ready !== null) outgoing.mark(core, ready);
    };
    const open = { method: "POST", path: "/api/chat", headers: [] };
    core.received({ type: FrameType.open, stream: id, seq: 0, payload: jsonBytes(open) });
    core.received({ type: FrameType.end, stream: id, seq: 1, payload: NO_PAYLOAD });
    const produce = (token: number) => {
      if (token === 0) send(core.answerHead(200, []));
      send(core.answerData(line));
      if (token === TOKENS - 1) send(core.answerEnd());
      else events.after(TOKEN_MS, () => produce(token + 1));
    };
    events.after((stream * TOKEN_MS) / streams, () => produce(0));
  }
  events.run();
  return messages;
}

test.each(CALLERS)(
  "sends an answer in no more messages than the bill counts, %d at once",
  (streams) => {
    const each = messagesOf(streams) / streams;
    expect(each).toBeLessThanOrEqual(STREAM_MESSAGES[streams]);
    // A lower number belongs into the table, and from there into the bill.
    expect(each).toBeGreaterThan(STREAM_MESSAGES[streams] * 0.85);
  },
);
