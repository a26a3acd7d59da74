/** An edge that says only what a test tells it, over a real WebSocket, to a real agent. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import { Agent } from "../../agent/agent.ts";
import { Spool } from "../../agent/spool/spool.ts";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  parsePayload,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { Readings } from "../../protocol/inventory.ts";
import { type Open, Records, type Welcome } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { eventually, NOBODY } from "./stack.ts";

export class FakeEdge implements AsyncDisposable {
  /** Everything heard but heartbeats and readings, in order. */
  readonly frames: Frame[] = [];
  readonly records: RequestRecord[] = [];
  /** After the first, the agent has taken the welcome. */
  readonly readings: Readings[] = [];
  /** How many RECORDS frames those came in. */
  batches = 0;
  dials = 0;
  answersPings = true;
  closes: number[] = [];
  /** Records are confirmed as they come. */
  isConfirming = true;
  #awaitingPing: (() => void)[] = [];
  /** Nothing is heard or said there any more. */
  #swallowed: WebSocket | null = null;
  readonly #http = createServer();
  readonly #sockets = new WebSocketServer({
    server: this.#http,
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  readonly #folder = mkdtempSync(join(tmpdir(), "fake-edge-"));
  #socket: WebSocket | null = null;
  #agent: Agent | null = null;
  #welcome: Partial<Welcome> = {};

  /** Without an agent. */
  static async listen(welcome: Partial<Welcome> = {}): Promise<FakeEdge> {
    const edge = new FakeEdge();
    edge.#welcome = welcome;
    edge.#sockets.on("connection", (socket) => edge.#take(socket));
    await new Promise<void>((resolve) => edge.#http.listen(0, "127.0.0.1", resolve));
    return edge;
  }

  /** With an agent in this process. @param nvidiaSmi  by default there is none */
  static async start(ollamaUrl = NOBODY, nvidiaSmi = "/nonexistent"): Promise<FakeEdge> {
    const edge = await FakeEdge.listen();
    const config = {
      edgeUrl: new URL(edge.url),
      box: "b",
      boxSecret: null,
      ollamaUrl: new URL(ollamaUrl),
      stateDir: edge.#folder,
      nvidiaSmi,
      ollamaModels: null,
      simulated: false,
    };
    const log = () => {};
    edge.#agent = new Agent(
      config,
      randomUUID(),
      Spool.open(join(edge.#folder, "spool"), { now: Date.now, log }),
      log,
    );
    edge.#agent.start();
    await eventually(async () => edge.#socket !== null);
    return edge;
  }

  get url(): string {
    const address = this.#http.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  say(...frames: Frame[]): void {
    this.sayBytes(encodeFrames(frames));
  }

  /** Whatever it is. */
  sayBytes(message: Uint8Array | string): void {
    this.#socket?.send(message);
  }

  /** Ends the tunnel without a word. */
  cut(): void {
    this.#socket?.terminate();
    this.#socket = null;
  }

  /** Resolves when the agent's next heartbeat was answered. */
  nextPing(): Promise<void> {
    return new Promise((resolve) => this.#awaitingPing.push(resolve));
  }

  /** The link goes half-open: what comes is lost, and nothing comes back. */
  swallow(): void {
    this.#swallowed = this.#socket;
  }

  /** Asks for a chat. */
  open(stream: string, more: Partial<Open> = {}, body = '{"model":"m","messages":[]}'): void {
    this.say(
      openFrame(stream, more),
      { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode(body) },
      { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD },
    );
  }

  /** The first frame of that type and stream, once it is there. */
  heard = (type: FrameType, stream: string): Promise<Frame> =>
    eventually(async () =>
      this.frames.find((frame) => frame.type === type && frame.stream === stream),
    );

  /** The record of a request, once it was sent. */
  recorded = (stream: string): Promise<RequestRecord> =>
    eventually(async () => this.records.find(({ request_id }) => request_id === stream));

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.stop();
    this.#sockets.close();
    this.#http.closeAllConnections();
    this.#http.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #take(socket: WebSocket): void {
    this.dials++;
    socket.on("close", (code) => this.closes.push(code));
    socket.on("message", (data, isBinary) => {
      if (socket === this.#swallowed) return;
      if (!isBinary) {
        if (this.answersPings) socket.send("pong");
        for (const wake of this.#awaitingPing.splice(0)) wake();
        return;
      }
      for (const frame of decodeFrames(data as Buffer)) {
        if (frame.type === FrameType.hello) {
          this.#socket = socket;
          this.say(
            tunnelFrame(FrameType.welcome, {
              edge_version: "0.0.0",
              now_ms: Date.now(),
              heartbeat_ms: 1_000,
              ...this.#welcome,
            }),
          );
        } else if (frame.type === FrameType.records) {
          const { position, records } = parsePayload(Records, frame.payload);
          this.batches++;
          this.records.push(...records);
          if (this.isConfirming) this.say(tunnelFrame(FrameType.recorded, { position }));
        } else if (frame.type === FrameType.readings)
          this.readings.push(parsePayload(Readings, frame.payload));
        else this.frames.push({ ...frame, payload: frame.payload.slice() });
      }
    });
  }
}

/** An OPEN of a chat. */
export const openFrame = (stream: string, more: Partial<Open> = {}): Frame => ({
  type: FrameType.open,
  stream,
  seq: 0,
  payload: jsonBytes({
    method: "POST",
    path: "/api/chat",
    headers: [],
    endpoint: "/api/chat",
    api: "ollama",
    model: "m",
    stream: true,
    started_at: new Date().toISOString(),
    edge_ms: 4,
    keep_text: true,
    key_id: null,
    client_ip: null,
    user_agent: null,
    ...more,
  } satisfies Open),
});
