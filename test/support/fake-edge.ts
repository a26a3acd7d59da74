/** A fake edge: sends only the frames of a test, over a real WebSocket, to a real agent. */
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
import { Hello, type Open, Records, type Welcome } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { CHAT_OPEN } from "./chat-open.ts";
import { eventually, NOBODY } from "./stack.ts";

export class FakeEdge implements AsyncDisposable {
  /** Every received frame in order, except heartbeats, readings and records. */
  readonly frames: Frame[] = [];
  readonly records: RequestRecord[] = [];
  /** The first readings show that the agent has processed the welcome. */
  readonly readings: Readings[] = [];
  /** Number of RECORDS frames received. */
  batches = 0;
  dials = 0;
  answersPings = true;
  closes: number[] = [];
  /** Confirms records as they arrive. */
  isConfirming = true;
  #awaitingPing: (() => void)[] = [];
  /** A half-open connection: its messages are dropped. */
  #swallowed: WebSocket | null = null;
  /** Files by path, beside the tunnel. Others are 404. */
  readonly files = new Map<string, Uint8Array>();
  readonly hellos: Hello[] = [];
  readonly #http = createServer((request, answer) => {
    const file = this.files.get(request.url ?? "");
    answer.writeHead(file === undefined ? 404 : 200).end(file);
  });
  readonly #sockets = new WebSocketServer({
    server: this.#http,
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  readonly #folder = mkdtempSync(join(tmpdir(), "fake-edge-"));
  #socket: WebSocket | null = null;
  #agent: Agent | null = null;
  #welcome: Partial<Welcome> = {};

  /** Starts an edge without an agent. */
  static async listen(welcome: Partial<Welcome> = {}): Promise<FakeEdge> {
    const edge = new FakeEdge();
    edge.#welcome = welcome;
    edge.#sockets.on("connection", (socket) => edge.#accept(socket));
    await new Promise<void>((resolve) => edge.#http.listen(0, "127.0.0.1", resolve));
    return edge;
  }

  /** Starts an edge and an agent in this process. Without `nvidiaSmi` the box has no GPU. */
  static async start(ollamaUrl = NOBODY, nvidiaSmi = "/nonexistent"): Promise<FakeEdge> {
    const edge = await FakeEdge.listen();
    const config = {
      edgeUrl: new URL(edge.url),
      edgeSocket: null,
      box: "b",
      boxSecret: null,
      ollamaUrl: new URL(ollamaUrl),
      stateDir: edge.#folder,
      nvidiaSmi,
      ollamaModels: null,
      ollamaParallel: null,
      simulated: false,
      allowsServerTools: false,
      allowsUpdates: true,
      redact: null,
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

  /** Drains the agent. */
  async drain(): Promise<void> {
    await this.#agent?.drain();
    this.#agent = null;
  }

  get url(): string {
    const address = this.#http.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  send(...frames: Frame[]): void {
    this.sendBytes(encodeFrames(frames));
  }

  /** Sends any message, valid or not. */
  sendBytes(message: Uint8Array | string): void {
    this.#socket?.send(message);
  }

  /** Terminates the tunnel without a close frame. */
  cut(): void {
    this.#socket?.terminate();
    this.#socket = null;
  }

  /** Resolves when the agent's next heartbeat has been answered. */
  nextPing(): Promise<void> {
    return new Promise((resolve) => this.#awaitingPing.push(resolve));
  }

  /** Makes the link half-open: messages from the agent are dropped and nothing is sent back. */
  swallow(): void {
    this.#swallowed = this.#socket;
  }

  /** Opens a stream with a chat request. */
  open(stream: string, more: Partial<Open> = {}, body = '{"model":"m","messages":[]}'): void {
    this.send(
      openFrame(stream, more),
      { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode(body) },
      { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD },
    );
  }

  /** Resolves with the first frame of this type and stream. */
  received = (type: FrameType, stream: string): Promise<Frame> =>
    eventually(async () =>
      this.frames.find((frame) => frame.type === type && frame.stream === stream),
    );

  /** Resolves with the record of a request. */
  recorded = (stream: string): Promise<RequestRecord> =>
    eventually(async () => this.records.find(({ request_id }) => request_id === stream));

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.stop();
    this.#sockets.close();
    this.#http.closeAllConnections();
    this.#http.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #accept(socket: WebSocket): void {
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
          this.hellos.push(parsePayload(Hello, frame.payload));
          this.send(
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
          if (this.isConfirming) this.send(tunnelFrame(FrameType.recorded, { position }));
        } else if (frame.type === FrameType.readings)
          this.readings.push(parsePayload(Readings, frame.payload));
        else this.frames.push({ ...frame, payload: frame.payload.slice() });
      }
    });
  }
}

/** Returns the OPEN frame of a chat. */
export const openFrame = (stream: string, more: Partial<Open> = {}): Frame => ({
  type: FrameType.open,
  stream,
  seq: 0,
  payload: jsonBytes({
    ...CHAT_OPEN,
    started_at: new Date().toISOString(),
    keep_text: true,
    ...more,
  } satisfies Open),
});
