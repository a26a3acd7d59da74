/**
 * Packs the frames of all streams of a box into few messages.
 *
 * Each message costs money and CPU at the edge, whatever its size. So urgent frames (a first token,
 * an end, a whole short answer) leave at the end of the current turn of the event loop. Later tokens
 * of a streamed answer wait for each other and for those of other streams, see `pace.ts`.
 */
import { encodeFrames, type Frame, HEADER_BYTES } from "../../protocol/frames.ts";
import { MESSAGE_BYTES_MAX } from "../../protocol/limits.ts";
import { type After, after } from "../clock/timers.ts";
import { type MessagePace, pauseMs, SHORTEST_PAUSE_MS } from "./pace.ts";

/** Has bytes to send, and frames them when the tunnel can take them. */
export type Source = { take(): Frame[] };

/** Decides when gathered frames leave. */
export type Turns = {
  /** Calls `run` at the end of the current turn of the event loop. */
  atEnd(run: () => void): void;
  after: After;
  /** Monotonic milliseconds. */
  now(): number;
};

const TURNS: Turns = {
  atEnd: (run) => void setImmediate(run),
  after,
  now: () => performance.now(),
};

/** A message takes along the bytes of every stream whose pause is over by this part. */
const RIPE = 0.5;

export class Outgoing {
  readonly #send: (message: Uint8Array) => void;
  readonly #turns: Turns;
  /** Sources that have something to send, and when it should leave; 0 for at once. */
  readonly #due = new Map<Source, number>();
  /** The sources that have sent something and are not forgotten. */
  readonly #paces = new Map<Source, MessagePace>();
  #frames: Frame[] = [];
  #isScheduled = false;
  #timer: { dueMs: number; cancel: () => void } | null = null;
  #isOpen = false;
  /** When the last message left. */
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(send: (message: Uint8Array) => void, turns: Turns = TURNS) {
    this.#send = send;
    this.#turns = turns;
  }

  /**
   * True while the tunnel is up (welcomed). Frames of a lost tunnel are dropped: their streams keep
   * them for the resume.
   */
  set isOpen(isOpen: boolean) {
    this.#isOpen = isOpen;
    this.#frames = [];
    for (const source of this.#due.keys()) this.#due.set(source, 0);
    if (isOpen) this.#schedule();
  }

  /** Sends frames at the end of this turn. */
  now(...frames: Frame[]): void {
    if (!this.#isOpen) return;
    this.#frames.push(...frames);
    this.#schedule();
  }

  /** Has frames taken from `source`: at the end of this turn, or after the pause of its stream. */
  mark(source: Source, when: "now" | "soon"): void {
    if (when === "now") {
      this.#due.set(source, 0);
      this.#schedule();
      return;
    }
    const pace = this.#paces.get(source);
    if (pace !== undefined) pace.parts++;
    if (!this.#due.has(source)) {
      const ripeMs = this.#ripeMs(source, 1, this.#turns.now());
      const dueMs = Math.max(ripeMs, this.#lastMs + SHORTEST_PAUSE_MS);
      this.#due.set(source, dueMs);
      this.#wake(dueMs);
    }
  }

  /** The source sends nothing more. */
  forget(source: Source): void {
    this.#due.delete(source);
    this.#paces.delete(source);
  }

  /** Returns when that part of the pause of a stream is over. */
  #ripeMs(source: Source, part: number, nowMs: number): number {
    const pace = this.#paces.get(source);
    return pace === undefined ? 0 : pace.lastMs + pauseMs(pace, this.#paces.size, nowMs) * part;
  }

  #sent(source: Source, nowMs: number): void {
    const pace = this.#paces.get(source);
    if (pace === undefined)
      this.#paces.set(source, { messages: 1, parts: 1, firstMs: nowMs, lastMs: nowMs });
    else {
      pace.messages++;
      pace.lastMs = nowMs;
    }
  }

  #schedule(): void {
    if (this.#isScheduled || !this.#isOpen) return;
    this.#isScheduled = true;
    this.#turns.atEnd(() => this.#flush(this.#turns.now()));
  }

  /** Sends at that time, unless a timer is due earlier. */
  #wake(dueMs: number): void {
    if (this.#timer !== null && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const waitMs = dueMs - this.#turns.now();
    if (waitMs <= 0) return this.#schedule();
    const run = () => {
      this.#timer = null;
      // Node's timers may be early by a part of a millisecond.
      this.#flush(Math.max(dueMs, this.#turns.now()));
    };
    this.#timer = { dueMs, cancel: this.#turns.after(waitMs, run) };
  }

  #flush(nowMs: number): void {
    this.#isScheduled = false;
    this.#timer?.cancel();
    this.#timer = null;
    if (!this.#isOpen) return;
    const frames = this.#frames;
    this.#frames = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [source, dueMs] of this.#due) {
      if (nowMs < dueMs && nowMs < this.#ripeMs(source, RIPE, nowMs)) {
        nextMs = Math.min(nextMs, dueMs);
        continue;
      }
      this.#due.delete(source);
      this.#sent(source, nowMs);
      frames.push(...source.take());
    }
    if (frames.length > 0) this.#lastMs = nowMs;
    if (nextMs < Number.POSITIVE_INFINITY) this.#wake(nextMs);
    let from = 0;
    let bytes = 0;
    for (const [index, frame] of frames.entries()) {
      const size = HEADER_BYTES + frame.payload.length;
      if (index > from && bytes + size > MESSAGE_BYTES_MAX) {
        this.#send(encodeFrames(frames.slice(from, index)));
        from = index;
        bytes = 0;
      }
      bytes += size;
    }
    if (from < frames.length) this.#send(encodeFrames(from === 0 ? frames : frames.slice(from)));
  }
}
