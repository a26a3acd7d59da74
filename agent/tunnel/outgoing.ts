/**
 * Packs the frames of all streams of a box into few messages.
 *
 * Each message costs money and CPU at the edge, whatever its size. So urgent frames (a first token,
 * an end, a whole short answer) leave at the end of the current turn of the event loop, together
 * with everything that is ready. Later tokens of a streamed answer wait up to {@link FLUSH_MS} for
 * each other.
 */
import { encodeFrames, type Frame, HEADER_BYTES } from "../../protocol/frames.ts";
import { FLUSH_MS, MESSAGE_BYTES_MAX } from "../../protocol/limits.ts";
import { type After, after } from "../clock/timers.ts";

/** Has bytes to send, and frames them when the tunnel can take them. */
export type Source = { take(): Frame[] };

/** Decides when gathered frames leave. */
export type Turns = {
  /** Calls `run` at the end of the current turn of the event loop. */
  atEnd(run: () => void): void;
  after: After;
};

const TURNS: Turns = { atEnd: (run) => void setImmediate(run), after };

export class Outgoing {
  readonly #send: (message: Uint8Array) => void;
  readonly #turns: Turns;
  readonly #sources = new Set<Source>();
  #frames: Frame[] = [];
  #isScheduled = false;
  #forgetFlush: (() => void) | null = null;
  #isOpen = false;

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
    if (isOpen) this.#schedule();
  }

  /** Sends frames at the end of this turn. */
  now(...frames: Frame[]): void {
    if (!this.#isOpen) return;
    this.#frames.push(...frames);
    this.#schedule();
  }

  /** Has frames taken from `source`: at the end of this turn, or within the flush interval. */
  mark(source: Source, when: "now" | "soon"): void {
    this.#sources.add(source);
    if (when === "now") this.#schedule();
    else if (!this.#isScheduled)
      this.#forgetFlush ??= this.#turns.after(FLUSH_MS, () => this.#flush());
  }

  forget(source: Source): void {
    this.#sources.delete(source);
  }

  #schedule(): void {
    if (this.#isScheduled || !this.#isOpen) return;
    this.#isScheduled = true;
    this.#turns.atEnd(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    this.#forgetFlush?.();
    this.#forgetFlush = null;
    if (!this.#isOpen) return;
    const frames = this.#frames;
    this.#frames = [];
    for (const source of this.#sources) frames.push(...source.take());
    this.#sources.clear();
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
