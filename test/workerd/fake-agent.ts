/**
 * A fake agent for tests in workerd: a WebSocket that sends and receives frames as a test wants.
 */
import { exports } from "cloudflare:workers";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { HEARTBEAT_MS, SUBPROTOCOL } from "../../protocol/limits.ts";
import type { Hello } from "../../protocol/messages.ts";

/** Absent from older agents. */
export type Features = Partial<Omit<Hello, "box" | "agent_id">>;

export class FakeAgent {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  closed: { code: number; reason: string } | null = null;
  #wake: (() => void)[] = [];

  constructor(socket: WebSocket, options: WebSocketAcceptOptions = {}) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.accept(options);
    socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") this.frames.push(...decodeFrames(data as ArrayBuffer));
      this.#notify();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
      this.#notify();
    });
  }

  /**
   * Dials, and stops before HELLO.
   * @param options  half open: it may go on sending after the close
   */
  static async dial(
    box: string,
    headers: Record<string, string> = {},
    options: WebSocketAcceptOptions = {},
  ): Promise<FakeAgent> {
    const answer = await exports.default.fetch(`http://localhost/agent/connect?box=${box}`, {
      headers: { upgrade: "websocket", "sec-websocket-protocol": SUBPROTOCOL, ...headers },
    });
    if (answer.webSocket === null)
      throw new Error(`dial refused: ${answer.status} ${await answer.text()}`);
    return new FakeAgent(answer.webSocket, options);
  }

  /** An agent that dials with {@link dial} sends no heartbeats. */
  static async connect(
    box: string,
    agentId: string = crypto.randomUUID(),
    headers: Record<string, string> = {},
    options: WebSocketAcceptOptions = {},
    features: Features = {},
  ): Promise<FakeAgent> {
    const agent = await FakeAgent.dial(box, headers, options);
    agent.hello(box, agentId, features);
    await agent.next(FrameType.welcome);
    agent.#staysAlive();
    return agent;
  }

  /** Sends heartbeats: a test on a busy machine may take longer than an agent may be silent. */
  #staysAlive(): void {
    const beats = setInterval(() => {
      if (this.closed === null) this.socket.send("ping");
      else clearInterval(beats);
    }, HEARTBEAT_MS);
  }

  hello(box: string, agentId: string, features: Features = {}): void {
    this.send(
      tunnelFrame(FrameType.hello, {
        box,
        agent_id: agentId,
        boot_id: crypto.randomUUID(),
        agent_version: "0.1.0",
        now_ms: Date.now(),
        simulated: false,
        ...features,
      }),
    );
  }

  send(...frames: Frame[]): void {
    this.socket.send(encodeFrames(frames));
  }

  /** Sends a whole answer, from frame 0. */
  answer(stream: string, status: number, headers: [string, string][], body: string): void {
    const end = { type: FrameType.end, stream, seq: 2, payload: NO_PAYLOAD };
    this.send(...begun(stream, status, headers, body), end);
  }

  /** Sends an answer without its end. */
  begin(stream: string, status: number, headers: [string, string][], body: string): void {
    this.send(...begun(stream, status, headers, body));
  }

  /** Returns the next frame of a type and removes it from {@link frames}. */
  async next(type: FrameType): Promise<Frame> {
    for (;;) {
      const frame = this.#taken(type);
      if (frame !== undefined) return frame;
      if (this.closed !== null)
        throw new Error(
          `closed ${this.closed.code} ${this.closed.reason} while waiting for frame type ${type}`,
        );
      await this.#change();
    }
  }

  /** Handles and removes each frame of a type, until the socket is closed. */
  async each(type: FrameType, handle: (frame: Frame) => void): Promise<void> {
    while (this.closed === null) {
      const frame = this.#taken(type);
      if (frame === undefined) await this.#change();
      else handle(frame);
    }
  }

  async untilClosed(): Promise<{ code: number; reason: string }> {
    while (this.closed === null) await this.#change();
    return this.closed;
  }

  #taken(type: FrameType): Frame | undefined {
    const at = this.frames.findIndex((frame) => frame.type === type);
    return at < 0 ? undefined : this.frames.splice(at, 1)[0];
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

const begun = (
  stream: string,
  status: number,
  headers: [string, string][],
  body: string,
): Frame[] => [
  { type: FrameType.head, stream, seq: 0, payload: jsonBytes({ status, headers }) },
  { type: FrameType.data, stream, seq: 1, payload: new TextEncoder().encode(body) },
];
