/** The waits that a box reports to its edge: which, when, and with which place. */
import { expect, test } from "vitest";
import { turnsOf } from "../../../../agent/request/turn.ts";
import { Outgoing } from "../../../../agent/tunnel/outgoing.ts";
import type { StreamTable } from "../../../../agent/tunnel/stream-table.ts";
import { decodeFrames, type Frame, FrameType, jsonBytes } from "../../../../protocol/frames.ts";
import { WAIT_REPORT_EVERY_MS, WAIT_REPORTED_MS } from "../../../../protocol/limits.ts";
import { CHAT_OPEN } from "../../../support/chat-open.ts";
import { listedSpool, silentOllama, tableWith } from "../../../support/stream-table.ts";

const idOf = (n: number) => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, "0")}`;

type Answer = { onHead(status: number, headers: [string, string][]): void; onEnd(): void };

/** A box with one slot for each model, none of which is in memory. */
class Scene {
  readonly #spool = listedSpool();
  readonly #ollama = silentOllama();
  readonly records = this.#spool.records;
  /** Messages to the edge, and the frames in each. */
  readonly messages: Frame[][] = [];
  /** The requests that Ollama has, in their order. */
  readonly answers: readonly Answer[] = this.#ollama.received;
  readonly table: StreamTable;
  readonly #loaded = new Set<string>();
  #turn: (() => void) | null = null;
  #nowMs = 0;

  constructor(relaysWaiting = true) {
    const outgoing = new Outgoing((message) => this.messages.push(decodeFrames(message)), {
      atEnd: (run) => {
        this.#turn = run;
      },
      after: () => () => {},
      now: () => this.#nowMs,
    });
    this.table = tableWith({
      ollama: this.#ollama,
      spool: this.#spool.spool,
      outgoing,
      now: () => this.#nowMs,
      isLoaded: (model) => this.#loaded.has(model),
      ...turnsOf(1),
    });
    outgoing.isOpen = true;
    this.table.attach(relaysWaiting);
  }

  /** A streamed chat arrives. @param isWhole  its body arrives, too */
  ask(n: number, more: object = {}, isWhole = true): void {
    const open = { ...CHAT_OPEN, takes_waiting: true, ...more };
    const frame = (type: FrameType, seq: number, payload: Uint8Array): Frame => ({
      type,
      stream: idOf(n),
      seq,
      payload,
    });
    const body = new TextEncoder().encode('{"model":"m","messages":[]}');
    this.table.receive(frame(FrameType.open, 0, jsonBytes(open)));
    if (!isWhole) return;
    this.table.receive(frame(FrameType.data, 1, body));
    this.table.receive(frame(FrameType.end, 2, new Uint8Array(0)));
  }

  load(model: string): void {
    this.#loaded.add(model);
  }

  /** Lets a second tick at this time. Returns the reports that leave then, by message. */
  reportsAt(nowMs: number): [string, object][][] {
    this.#nowMs = nowMs;
    this.messages.length = 0;
    this.table.tick();
    this.#turn?.();
    this.#turn = null;
    return this.messages.map((frames) =>
      frames
        .filter(({ type }) => type === FrameType.waiting)
        .map(({ stream, payload }) => [stream, JSON.parse(new TextDecoder().decode(payload))]),
    );
  }
}

const LOADING = { position: null, eta_ms: null, slots: 1, is_loading: true };

test("all long waits of a box are reported in one message, with their places", () => {
  const scene = new Scene();
  for (const n of [1, 2, 3]) scene.ask(n);
  scene.reportsAt(0);
  expect(scene.reportsAt(WAIT_REPORTED_MS - 1).flat()).toEqual([]);
  expect(scene.reportsAt(WAIT_REPORTED_MS)).toEqual([
    [
      [idOf(1), LOADING],
      [idOf(2), { position: 1, eta_ms: null, slots: 1, is_loading: false }],
      [idOf(3), { position: 2, eta_ms: null, slots: 1, is_loading: false }],
    ],
  ]);
  scene.load("m");
  expect(scene.reportsAt(WAIT_REPORTED_MS + WAIT_REPORT_EVERY_MS)).toEqual([
    [[idOf(1), { ...LOADING, is_loading: false }]],
  ]);
});

test("nothing is reported to an edge that does not relay it, or of a call that does not take it", () => {
  const older = new Scene(false);
  older.ask(1);
  older.reportsAt(0);
  expect(older.reportsAt(60_000).flat()).toEqual([]);
  const scene = new Scene();
  scene.ask(1, { takes_waiting: undefined });
  scene.reportsAt(0);
  expect(scene.reportsAt(60_000).flat()).toEqual([]);
});

test("a request whose body is on its way is not reported, since it may be refused yet", () => {
  const scene = new Scene();
  scene.ask(1, {}, false);
  scene.reportsAt(0);
  expect(scene.reportsAt(60_000).flat()).toEqual([]);
});

test("nothing is reported while the tunnel is away", () => {
  const scene = new Scene();
  scene.ask(1);
  scene.table.detach();
  expect(scene.reportsAt(20_000).flat()).toEqual([]);
});

test("the head contains the wait in the queue, and the record the status that the caller has", () => {
  const scene = new Scene();
  for (const n of [1, 2]) scene.ask(n);
  scene.reportsAt(12_000);
  scene.table.receive({
    type: FrameType.abort,
    stream: idOf(1),
    seq: 0,
    payload: jsonBytes({ code: "caller_gone", message: "x" }),
  });
  expect(scene.answers).toHaveLength(2);
  scene.answers[1]?.onHead(500, [["content-type", "application/json"]]);
  scene.reportsAt(12_001);
  const head = scene.messages.flat().find(({ type }) => type === FrameType.head);
  expect(JSON.parse(new TextDecoder().decode(head?.payload))).toMatchObject({
    status: 500,
    queue: { position: 1, waited_ms: 12_000 },
  });
  scene.answers[1]?.onEnd();
  scene.reportsAt(12_002);
  scene.table.receive({
    type: FrameType.ack,
    stream: idOf(2),
    seq: 2,
    payload: new Uint8Array(0),
  });
  expect(scene.records.map(({ status, http_status }) => [status, http_status])).toEqual([
    ["cancelled", 200],
    ["error", 200],
  ]);
});
