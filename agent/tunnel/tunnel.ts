/**
 * The tunnel: the agent's long-lived WebSocket to its Box, dialled outwards, with handshake,
 * heartbeats and a watchdog.
 *
 * The watchdog trusts arriving messages, not the socket: a half-open link (packets swallowed, no
 * RST) never fires `close`, so silence alone is enough to dial again.
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
import { HEARTBEAT_MS, SILENCE_MS } from "../../protocol/limits.ts";
import { freeMemory } from "../../protocol/memory.ts";
import { type Hello, Welcome } from "../../protocol/messages.ts";
import type { Log } from "../log.ts";
import { REMOVED_MS_MAX, Redial } from "./backoff.ts";
import { dial, type EdgeAddress, needsToJoinAgain, refusalOf } from "./dial.ts";
import { Link } from "./link.ts";
import { pacedLog } from "./paced-log.ts";
import { RoundTrip } from "./round-trip.ts";

/** A Box that has not sent WELCOME this long after HELLO will not send it. */
const WELCOME_MS = 10_000;

/** A timer that fires later than this shows that this process was held up, not the link. */
const HELD_UP_MS = SILENCE_MS - 2 * HEARTBEAT_MS;

const REJOIN =
  "Join again with a new code (ollama-edge-agent join, or install.sh), then restart this agent. Until then it dials " +
  `ever less often, at last every ${REMOVED_MS_MAX / 60_000} minutes.`;

/** How this box proves itself to the edge. */
export type BoxProof = {
  /** Returns the header for a dial now; null without one. */
  authorization(): string | null;
  /** The tunnel is up. */
  up(send: (frame: Frame) => void): void;
  /** Returns whether {@link received} takes such frames. */
  takes(type: FrameType): boolean;
  /** @throws {FrameError} */
  received(frame: Frame): void;
};

export type TunnelOptions = {
  edge: EdgeAddress;
  proof: BoxProof;
  hello: () => Hello;
  onUp(welcome: Welcome): void;
  /** @param lastSeenMs  when the last message arrived, monotonic ms */
  onDown(lastSeenMs: number): void;
  /** Takes the frames after WELCOME. Throwing a {@link FrameError} closes the socket. */
  onFrames(frames: Frame[]): void;
  log: Log;
  /** Monotonic milliseconds. */
  now: () => number;
};

/** Reason for which the edge refused a dial, for the log; null if it did not. */
type Refusal = string | null;

export class Tunnel {
  readonly #options: TunnelOptions;
  /** Its state over time, for people. */
  readonly link = new Link(Date.now);
  #socket: WebSocket | null = null;
  /** Measured on that socket. */
  #roundTrip = new RoundTrip();
  #isUp = false;
  #isStopped = false;
  #lastSeenMs = 0;
  #openedMs = 0;
  readonly #backoff: Redial;
  #loggedRefusal: Refusal = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;
  #redial: NodeJS.Timeout | null = null;

  constructor(options: TunnelOptions) {
    this.#options = { ...options, log: pacedLog(options.log, options.now) };
    this.#backoff = new Redial(options.now());
  }

  start(): void {
    this.#dial();
  }

  /** Returns whether a socket took the message. */
  send(message: Uint8Array): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(message);
    return true;
  }

  /**
   * Round trip of the newest heartbeat, ms; null before the first one on this socket was answered.
   */
  get roundTripMs(): number | null {
    return this.#roundTrip.ms;
  }

  /** Returns a function that reports whether the Box has everything that was sent before. */
  mark(): () => boolean {
    return this.#roundTrip.mark();
  }

  /** Closes the tunnel and never dials again. */
  stop(): void {
    this.#isStopped = true;
    if (this.#redial !== null) clearTimeout(this.#redial);
    const socket = this.#socket;
    this.#drop();
    socket?.close(1000, "the agent is stopping");
    setTimeout(() => socket?.terminate(), 500).unref();
  }

  #dial(): void {
    const { edge, hello, log, now } = this.#options;
    const authorization = this.#options.proof.authorization();
    const socket = dial(edge, hello().box, authorization, this.#backoff.handshakeMs);
    this.#socket = socket;
    this.#lastSeenMs = now();
    const isCurrent = () => this.#socket === socket;

    socket.on("unexpected-response", (_request, response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        if (text.length < 4_096) text += chunk;
      });
      // Not "end": an answer that is cut off never emits it, and nothing would dial again.
      response.on(
        "close",
        () =>
          isCurrent() &&
          this.#lost(
            refusalOf(response.statusCode ?? 0, text, authorization),
            null,
            needsToJoinAgain(text),
          ),
      );
    });
    socket.on("open", () => {
      if (!isCurrent()) return;
      this.#lastSeenMs = now();
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
      this.#lastSeenMs = now();
      if (!isBinary) return this.#roundTrip.ponged(this.#lastSeenMs);
      const message = data as Buffer;
      try {
        this.#received(decodeFrames(message));
        // No frame is read again, and a large message has its memory alone.
        if (message.length === message.buffer.byteLength) freeMemory(message.buffer);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        log("warn", "tunnel_garbage", { why: error.message });
        socket.close(1002, error.message.slice(0, 100));
        this.#lost(null, error.message);
      }
    });
    socket.on("close", (code, reason) => {
      // The edge closes with 4xxx when it refuses an agent after the handshake.
      if (isCurrent())
        this.#lost(code >= 4_000 ? reason.toString() : null, "the edge closed the tunnel");
    });
    socket.on("error", (error) => {
      if (isCurrent()) {
        log("info", "tunnel_error", { edge: edge.edgeUrl.origin, why: error.message });
        this.#lost(null, error.message);
      }
    });
  }

  #received(frames: Frame[]): void {
    if (this.#isUp) return this.#pass(frames);
    const [first, ...rest] = frames;
    if (first?.type !== FrameType.welcome) throw new FrameError("frames before WELCOME");
    const welcome = parsePayload(Welcome, first.payload);
    this.#isUp = true;
    this.link.up(welcome);
    this.#openedMs = this.#options.now();
    this.#backoff.up(this.#openedMs);
    this.#loggedRefusal = null;
    this.#options.log("info", "tunnel_up", {
      edge: this.#options.edge.edgeUrl.origin,
      edge_version: welcome.edge_version,
    });
    this.#options.onUp(welcome);
    this.#options.proof.up((frame) => this.send(encodeFrames([frame])));
    if (rest.length > 0) this.#pass(rest);
  }

  #pass(frames: Frame[]): void {
    const { proof, onFrames } = this.#options;
    const isOfProof = ({ type }: Frame) => proof.takes(type);
    if (!frames.some(isOfProof)) return onFrames(frames);
    for (const frame of frames.filter(isOfProof)) proof.received(frame);
    onFrames(frames.filter((frame) => !isOfProof(frame)));
  }

  /** Checks the silence at the moment when it would be too long, and not a heartbeat later. */
  #watch(helloMs: number): void {
    const { now } = this.#options;
    const socket = this.#socket;
    const dueMs = this.#lastSeenMs + SILENCE_MS;
    // Messages that have arrived but were not read yet come first.
    const check = () =>
      setImmediate(() => this.#socket === socket && this.#check(helloMs, now() - dueMs));
    this.#watchdog = setTimeout(check, dueMs - now());
  }

  /** @param lateMs  how late the check is */
  #check(helloMs: number, lateMs: number): void {
    const { log, now } = this.#options;
    // This process was held up, so the edge had no heartbeat to answer. Waits for the next one.
    if (lateMs > HELD_UP_MS) this.#lastSeenMs = Math.max(this.#lastSeenMs, now() - HEARTBEAT_MS);
    const silentMs = now() - this.#lastSeenMs;
    // The platform answers pings even for a Box that never sends WELCOME.
    const isUnwelcome = !this.#isUp && now() - helloMs > WELCOME_MS;
    if (!isUnwelcome && silentMs < SILENCE_MS) return this.#watch(helloMs);
    log("warn", "tunnel_silent", { silent_ms: Math.round(silentMs) });
    const socket = this.#socket;
    this.#lost(null, `the edge was silent for ${Math.round(silentMs / 1_000)} s`);
    socket?.terminate();
  }

  /**
   * @param why        the reason if it is no refusal; null without one
   * @param isRemoved  the edge refuses this box until it joins again
   */
  #lost(refusal: Refusal, why: string | null = null, isRemoved = false): void {
    const { log, now } = this.#options;
    this.link.down(refusal ?? why);
    const wasUp = this.#drop();
    if (this.#isStopped) return;
    if (wasUp) log("warn", "tunnel_down", { up_s: Math.round((now() - this.#openedMs) / 1_000) });
    // Logs each reason once: otherwise an agent that waits for its name would fill the log.
    if (refusal !== null && refusal !== this.#loggedRefusal) {
      this.#loggedRefusal = refusal;
      const advice = isRemoved ? { advice: REJOIN } : {};
      const edge = this.#options.edge.edgeUrl.origin;
      log("error", "tunnel_refused", { edge, why: refusal, ...advice });
    }
    const lostMs = this.#backoff.lost(now(), refusal !== null, Math.random);
    const waitMs = isRemoved ? this.#backoff.removed(Math.random) : lostMs;
    this.#redial = setTimeout(() => this.#dial(), waitMs);
  }

  /** Forgets the socket. @returns whether the tunnel was up */
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
    if (wasUp) this.#options.onDown(this.#lastSeenMs);
    return wasUp;
  }
}
