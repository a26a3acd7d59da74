/**
 * The tunnel: the agent's long-lived WebSocket to its Box, dialled outwards, with handshake,
 * heartbeats and a watchdog.
 *
 * The watchdog trusts what it hears, not the socket: a half-open link (packets swallowed, no RST)
 * never fires `close`, so silence alone is enough to dial again.
 */
import WebSocket from "ws";
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  parsePayload,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { HEARTBEAT_MS, MESSAGE_BYTES_MAX, SILENCE_MS, SUBPROTOCOL } from "../../protocol/limits.ts";
import { type Hello, Welcome } from "../../protocol/messages.ts";
import type { Log } from "../log.ts";
import { Redial } from "./backoff.ts";
import { RoundTrip } from "./round-trip.ts";

/** A Box that has not said welcome so long after the hello will not. */
const WELCOME_MS = 10_000;

/** A timer that comes later than this says more of this process than of the link. */
const HELD_UP_MS = SILENCE_MS - 2 * HEARTBEAT_MS;

export type TunnelOptions = {
  edgeUrl: URL;
  secret: string | null;
  hello: () => Hello;
  onUp(welcome: Welcome): void;
  onDown(): void;
  /** Frames after the welcome. Throwing a {@link FrameError} closes the socket. */
  onFrames(frames: Frame[]): void;
  log: Log;
  /** Monotonic milliseconds. */
  now: () => number;
};

/** Why the edge refused a dial, in words; null when it did not. */
type Refusal = string | null;

export class Tunnel {
  readonly #options: TunnelOptions;
  #socket: WebSocket | null = null;
  /** Of that socket. */
  #roundTrip = new RoundTrip();
  #isUp = false;
  #isStopped = false;
  #lastHeardMs = 0;
  #openedMs = 0;
  readonly #backoff: Redial;
  #loggedRefusal: Refusal = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #redial: NodeJS.Timeout | null = null;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#backoff = new Redial(options.now());
  }

  start(): void {
    this.#dial();
  }

  /** @returns whether the message was given to a socket. */
  send(message: Uint8Array): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message);
    return true;
  }

  /** As the newest heartbeat measured it, ms; null before the first of this socket was answered. */
  get roundTripMs(): number | null {
    return this.#roundTrip.ms;
  }

  /** Ends the tunnel for good. */
  stop(): void {
    this.#isStopped = true;
    if (this.#redial !== null) clearTimeout(this.#redial);
    const socket = this.#socket;
    this.#drop();
    socket?.close(1000, "the agent stops");
    setTimeout(() => socket?.terminate(), 500).unref();
  }

  #dial(): void {
    const { edgeUrl, secret, hello, log, now } = this.#options;
    const socket = dial(edgeUrl, hello().box, secret, this.#backoff.handshakeMs);
    this.#socket = socket;
    this.#lastHeardMs = now();
    const isCurrent = () => this.#socket === socket;

    socket.on("unexpected-response", (_request, response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (text.length < 4_096) text += chunk;
      });
      // Not "end": an answer that is cut off has none, and nothing else would dial again.
      response.on(
        "close",
        () => isCurrent() && this.#lost(refusalOf(response.statusCode ?? 0, text)),
      );
    });
    socket.on("open", () => {
      if (!isCurrent()) return;
      this.#lastHeardMs = now();
      socket.send(encodeFrames([tunnelFrame(FrameType.hello, hello())]));
      const ping = () => {
        this.#roundTrip.pinged(now());
        socket.send("ping");
      };
      ping();
      this.#heartbeat = setInterval(ping, HEARTBEAT_MS);
      this.#watch(now());
    });
    socket.on("message", (data, isBinary) => {
      if (!isCurrent()) return;
      this.#lastHeardMs = now();
      if (!isBinary) return this.#roundTrip.ponged(this.#lastHeardMs);
      try {
        this.#hear(decodeFrames(data as Buffer));
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        log("warn", "tunnel_garbage", { why: error.message });
        socket.close(1002, error.message.slice(0, 100));
        this.#lost(null);
      }
    });
    socket.on("close", (code, reason) => {
      // The edge closes with 4xxx when it refuses an agent after the handshake.
      if (isCurrent()) this.#lost(code >= 4_000 ? reason.toString() : null);
    });
    socket.on("error", (error) => {
      if (isCurrent()) {
        log("info", "tunnel_error", { edge: edgeUrl.origin, why: error.message });
        this.#lost(null);
      }
    });
  }

  #hear(frames: Frame[]): void {
    if (this.#isUp) return this.#options.onFrames(frames);
    const [first, ...rest] = frames;
    if (first?.type !== FrameType.welcome) throw new FrameError("frames before the welcome");
    const welcome = parsePayload(Welcome, first.payload);
    this.#isUp = true;
    this.#openedMs = this.#options.now();
    this.#backoff.up(this.#openedMs);
    this.#loggedRefusal = null;
    this.#options.log("info", "tunnel_up", {
      edge: this.#options.edgeUrl.origin,
      edge_version: welcome.edge_version,
    });
    this.#options.onUp(welcome);
    if (rest.length > 0) this.#options.onFrames(rest);
  }

  /** Looks when the silence would be too long, by what was heard until now: not a beat later. */
  #watch(helloMs: number): void {
    const { now } = this.#options;
    const socket = this.#socket;
    const dueMs = this.#lastHeardMs + SILENCE_MS;
    // What has arrived and was not read yet is heard first.
    const look = () =>
      setImmediate(() => this.#socket === socket && this.#judge(helloMs, now() - dueMs));
    this.#watchdog = setTimeout(look, dueMs - now());
  }

  /** @param lateMs  how much later than it was to be */
  #judge(helloMs: number, lateMs: number): void {
    const { log, now } = this.#options;
    // This process was held up, and sent no heartbeat that could have been answered: the next one
    // tells.
    if (lateMs > HELD_UP_MS) this.#lastHeardMs = Math.max(this.#lastHeardMs, now() - HEARTBEAT_MS);
    const silentMs = now() - this.#lastHeardMs;
    // The platform answers pings for a Box that never says welcome.
    const isUnwelcome = !this.#isUp && now() - helloMs > WELCOME_MS;
    if (!isUnwelcome && silentMs < SILENCE_MS) return this.#watch(helloMs);
    log("warn", "tunnel_silent", { silent_ms: Math.round(silentMs) });
    const socket = this.#socket;
    this.#lost(null);
    socket?.terminate();
  }

  #lost(refusal: Refusal): void {
    const { log, now } = this.#options;
    const wasUp = this.#drop();
    if (this.#isStopped) return;
    if (wasUp) log("warn", "tunnel_down", { up_s: Math.round((now() - this.#openedMs) / 1_000) });
    // Once per reason: an agent that waits for its name would else fill the log.
    if (refusal !== null && refusal !== this.#loggedRefusal) {
      this.#loggedRefusal = refusal;
      log("error", "tunnel_refused", { edge: this.#options.edgeUrl.origin, why: refusal });
    }
    this.#redial = setTimeout(
      () => this.#dial(),
      this.#backoff.lost(now(), refusal !== null, Math.random),
    );
  }

  /** Forgets the socket. @returns whether the tunnel was up. */
  #drop(): boolean {
    const wasUp = this.#isUp;
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    this.#heartbeat = null;
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#watchdog = null;
    this.#socket?.on("error", () => {}); // a terminated socket may still complain
    this.#socket = null;
    this.#roundTrip = new RoundTrip();
    this.#isUp = false;
    if (wasUp) this.#options.onDown();
    return wasUp;
  }
}

/** The agent's way to its edge: also what `--check` tries. */
export function dial(
  edgeUrl: URL,
  box: string,
  secret: string | null,
  handshakeMs: number,
): WebSocket {
  const url = new URL(`/agent/connect?box=${encodeURIComponent(box)}`, edgeUrl);
  url.protocol = edgeUrl.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url, SUBPROTOCOL, {
    headers: secret === null ? {} : { authorization: `Bearer ${secret}` },
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
    maxPayload: 2 * MESSAGE_BYTES_MAX,
  });
}

/** What the edge said when it refused the upgrade. */
export function refusalOf(status: number, body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown } };
    if (typeof error?.message === "string") return `${error.message} (HTTP ${status})`;
  } catch {
    // not ours: a proxy, or not an edge at all
  }
  return `the edge answered HTTP ${status} to the upgrade; is EDGE_URL right?`;
}
