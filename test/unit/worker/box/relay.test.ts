/** The relay at times that a test with real sockets could only hit by chance. */
import { expect, test } from "vitest";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameType,
  parsePayload,
  tunnelFrame,
} from "../../../../protocol/frames.ts";
import { ONLY_HOLDER_MS, RECONNECT_MS } from "../../../../protocol/limits.ts";
import { Abort } from "../../../../protocol/messages.ts";
import { Relay } from "../../../../worker/box/relay.ts";
import type { Attachment, RelaySocket } from "../../../../worker/box/sockets.ts";
import { helloOf } from "../../../support/records.ts";

class FakeSocket implements RelaySocket {
  readyState = 1;
  readonly frames: Frame[] = [];

  send(message: Uint8Array): void {
    this.frames.push(...decodeFrames(message.slice()));
  }

  close(): void {
    this.readyState = 3;
  }
}

/** A box with a connected agent and a clock that stands still until the test moves it. */
class Scene {
  readonly agent = new FakeSocket();
  /** The reports to the registry that an agent came or was lost. */
  readonly reported: [event: "came" | "gone", atMs: number][] = [];
  readonly #attachments = new Map<FakeSocket, Attachment>();
  #nowMs = 1_000_000;
  #waits: { dueMs: number; wake: () => void }[] = [];
  readonly #relay: Relay<FakeSocket>;

  constructor() {
    const nothing = async () => {};
    this.#relay = new Relay<FakeSocket>({
      sockets: {
        accept: (socket, attachment) => void this.#attachments.set(socket, attachment),
        attach: (socket, attachment) => void this.#attachments.set(socket, attachment),
        accepted: (tag) => this.#accepted(tag),
        attachmentOf: (socket) => this.#attachmentOf(socket),
        pingedMs: () => this.#nowMs,
      },
      registry: () => ({
        connected: async (_, atMs) => {
          this.reported.push(["came", atMs]);
          return { keep_text: true };
        },
        draining: nothing,
        read: nothing,
        gone: async (_, atMs) => void this.reported.push(["gone", atMs]),
        report: nothing,
      }),
      certify: () => Promise.reject(new Error("no box has joined")),
      welcome: () => ({ edge_version: "0.0.0", now_ms: this.#nowMs, heartbeat_ms: 1_000 }),
      ended: () => {},
      now: () => this.#nowMs,
      wait: (ms) =>
        new Promise((wake) => this.#waits.push({ dueMs: this.#nowMs + ms, wake: () => wake() })),
      meanwhile: () => {},
      log: () => {},
    });
  }

  static async start(): Promise<Scene> {
    const scene = new Scene();
    await scene.greet(scene.agent);
    return scene;
  }

  /** The agent connects on this socket. */
  async greet(socket: FakeSocket): Promise<void> {
    this.#relay.connect(socket, "atlas");
    const hello = encodeFrames([tunnelFrame(FrameType.hello, helloOf("atlas"))]);
    await this.#relay.received(socket, hello);
  }

  attach(id: string, isResume: boolean): FakeSocket {
    const socket = new FakeSocket();
    this.#relay.attach(socket, { box: "atlas", id, isResume, model: null, key: null }, null);
    return socket;
  }

  holds(id: string): boolean {
    return this.#relay.calls.holds(id);
  }

  /** The agent drains. @param payload  absent from older agents */
  drain(payload?: object): Promise<void> {
    return this.#relay.received(this.agent, encodeFrames([tunnelFrame(FrameType.drain, payload)]));
  }

  /** Returns how long a call waits for the agent, in steps of a second. */
  async waitedMs(waitMs: number): Promise<number> {
    let isOver = false;
    const beganMs = this.#nowMs;
    void this.#relay.agentBack(waitMs).then(() => {
      isOver = true;
    });
    await this.pass(0);
    while (!isOver) await this.pass(1_000);
    return this.#nowMs - beganMs;
  }

  /** A stream or the agent loses its socket. Returns before the relay has decided about it. */
  lose(socket: FakeSocket): void {
    socket.readyState = 3;
    void this.#relay.closed(socket, 1011);
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#waits.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#waits = this.#waits.filter((wait) => !due.includes(wait));
    for (const { wake } of due) wake();
    await new Promise((resolve) => setTimeout(resolve));
  }

  get aborts(): Frame[] {
    return this.agent.frames.filter(({ type }) => type === FrameType.abort);
  }

  #accepted(tag: string): FakeSocket[] {
    return Array.from(this.#attachments)
      .filter(([, { kind, ...rest }]) => tag === kind || ("id" in rest && rest.id === tag))
      .map(([socket]) => socket);
  }

  #attachmentOf(socket: FakeSocket): Attachment {
    const attachment = this.#attachments.get(socket);
    if (attachment === undefined) throw new Error("the socket was not accepted");
    return attachment;
  }
}

test("keeps a stream that loses its socket again and again", async () => {
  const scene = await Scene.start();
  const id = crypto.randomUUID();
  let socket = scene.attach(id, false);
  // Longer in total than the Box waits for a stream, but never that long at once.
  for (let i = 0; i < 6; i++) {
    scene.lose(socket);
    await scene.pass(450);
    expect(scene.holds(id)).toBe(true);
    socket = scene.attach(id, true);
  }
  await scene.pass(10_000);
  expect(scene.aborts).toEqual([]);
});

test("reports in order that an agent comes, is lost and comes back within a millisecond", async () => {
  const scene = await Scene.start();
  scene.lose(scene.agent);
  const again = new FakeSocket();
  await scene.greet(again);
  scene.lose(again);
  await scene.pass(0);
  const [first, second] = [1_000_001, 1_000_002];
  expect(scene.reported).toEqual([
    ["came", first],
    ["gone", first],
    ["came", second],
    ["gone", second],
  ]);
});

test("cancels a stream that lost its socket and does not attach again within half a second", async () => {
  const scene = await Scene.start();
  const id = crypto.randomUUID();
  scene.lose(scene.attach(id, false));
  await scene.pass(499);
  expect([scene.aborts, scene.holds(id)]).toEqual([[], true]);
  await scene.pass(1);
  expect(scene.holds(id)).toBe(false);
  const [abort, ...others] = scene.aborts;
  expect([abort?.stream, others]).toEqual([id, []]);
  expect(parsePayload(Abort, abort?.payload ?? new Uint8Array())).toMatchObject({
    code: "caller_gone",
    presumed: true,
  });
});

test.each([
  [
    "that only its box can serve, to the end of the drain and for a restart",
    ONLY_HOLDER_MS,
    37_000,
  ],
  ["that others can serve too, for a moment", RECONNECT_MS, RECONNECT_MS],
])("has a call wait for an agent that drains: one %s", async (_which, waitMs, waitedMs) => {
  const scene = await Scene.start();
  await scene.drain({ ends_in_ms: 27_000 });
  expect(await scene.waitedMs(waitMs)).toBe(waitedMs);
});

test("has a call wait for an older agent that drains from its arrival on", async () => {
  const scene = await Scene.start();
  await scene.drain();
  expect(await scene.waitedMs(ONLY_HOLDER_MS)).toBe(ONLY_HOLDER_MS);
});
