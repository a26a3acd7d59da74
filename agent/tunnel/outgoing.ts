/**
 * Packs what all streams of a box have to say into few messages.
 *
 * A message costs money and CPU at the edge, whatever is in it. So what is urgent (a first token,
 * an end, a whole short answer) leaves at the end of the current turn of the event loop, together
 * with everything else that is ready; later tokens of a streamed answer wait up to
 * {@link FLUSH_MS} for each other.
 */
import { encodeFrames, type Frame, HEADER_BYTES } from "../../protocol/frames.ts";
import { FLUSH_MS, MESSAGE_BYTES_MAX } from "../../protocol/limits.ts";
import { type After, after } from "../clock/timers.ts";

/** Something that has bytes to send, and makes frames of them when there is a way. */
export type Source = { take(): Frame[] };

/** When what is gathered leaves. */
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
   * The tunnel is up (welcomed) or not. Frames of a lost tunnel are dropped: their streams keep
   * them for the resume.
   */
  set isOpen(isOpen: boolean) {
    this.#isOpen = isOpen;
    this.#frames = [];
    if (isOpen) this.#schedule();
  }

  /** These frames leave at the end of this turn. */
  now(...frames: Frame[]): void {
    if (!this.#isOpen) return;
    this.#frames.push(...frames);
    this.#schedule();
  }

  /** `source` has something; `now` or within the flush interval. */
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
