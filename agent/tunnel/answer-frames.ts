/**
 * Ollama's answer on its way to the edge: HEAD, DATA and END as numbered frames, at most as many as
 * the edge has room for. Reads Ollama only as fast as the caller reads. Pure.
 */
import { type AnswerKind, isFailing, isHeldBack } from "../../protocol/ending.ts";
import { type Frame, FrameType, jsonBytes } from "../../protocol/frames.ts";
import { DATA_BYTES_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import type { Head, Headers, QueueWait } from "../../protocol/messages.ts";
import type { StreamEnd } from "../../protocol/stream-end.ts";

export class AnswerFrames {
  readonly #end: StreamEnd;
  readonly #kind: AnswerKind;
  // Read from Ollama and not framed yet, in the order of the frames.
  #head: Uint8Array | null = null;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #begun: { status: number; headers: Headers; bytes: number } | null = null;
  #hasEnded = false;
  #isEndSent = false;
  #isPaused = false;
  #hasData = false;

  /** @param kind  a streamed answer comes bit by bit, so its bits may wait for each other */
  constructor(end: StreamEnd, kind: AnswerKind) {
    this.#end = end;
    this.#kind = kind;
  }

  /** Bytes in this process: sent and not acknowledged, and not sent. */
  get keptBytes(): number {
    return this.#end.keptBytes + this.#chunkBytes;
  }

  /** Status that the caller has received; null while the edge holds the answer back. */
  get begunStatus(): number | null {
    if (this.#begun === null) return null;
    const { status, headers, bytes } = this.#begun;
    return isHeldBack(this.#kind, { status, headers }, bytes) ? null : status;
  }

  /** Ollama has answered with a failure. */
  get hasFailed(): boolean {
    return this.#begun !== null && isFailing(this.#begun.status);
  }

  /** Ollama, or this agent, has begun to answer. */
  get hasHead(): boolean {
    return this.#begun !== null;
  }

  /** The END is framed: the edge has everything, or will after a resume. */
  get isEndSent(): boolean {
    return this.#isEndSent;
  }

  /** There is something to frame. */
  get isWaiting(): boolean {
    return this.#chunkBytes > 0 || (this.#hasEnded && !this.#isEndSent);
  }

  /** @param queue  the wait of the request before; null without one */
  head(status: number, headers: Headers, queue: QueueWait | null): void {
    this.#begun = { status, headers, bytes: 0 };
    this.#head = jsonBytes({ status, headers, queue: queue ?? undefined } satisfies Head);
  }

  /** @returns when the bytes should leave */
  data(chunk: Uint8Array): "now" | "soon" {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#begun !== null) this.#begun.bytes += chunk.length;
    const canWait = this.#kind.stream && this.#hasData && this.#chunkBytes < DATA_BYTES_MAX;
    this.#hasData = true;
    return canWait ? "soon" : "now";
  }

  end(): void {
    this.#hasEnded = true;
  }

  /**
   * Returns whether reading of Ollama's answer must pause or may resume; null if nothing changes.
   */
  takeFlow(): "pause" | "resume" | null {
    const isPausing = !this.#isPaused && this.keptBytes >= WINDOW_BYTES;
    const isResuming = this.#isPaused && this.keptBytes < WINDOW_BYTES / 2;
    if (!isPausing && !isResuming) return null;
    this.#isPaused = isPausing;
    return isPausing ? "pause" : "resume";
  }

  /** Frames what is waiting, as far as there is room. */
  take(): Frame[] {
    const frames: Frame[] = [];
    if (this.#head !== null) {
      frames.push(this.#end.frame(FrameType.head, this.#head));
      this.#head = null;
    }
    while (this.#chunkBytes > 0 && this.#end.room > 0)
      frames.push(this.#end.frame(FrameType.data, this.#nextData()));
    if (this.#hasEnded && !this.#isEndSent && this.#chunkBytes === 0) {
      this.#isEndSent = true;
      frames.push(this.#end.frame(FrameType.end));
    }
    return frames;
  }

  /** At most one DATA frame of what is waiting. */
  #nextData(): Uint8Array {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < DATA_BYTES_MAX) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, DATA_BYTES_MAX - bytes);
      parts.push(part);
      bytes += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#chunkBytes -= bytes;
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, bytes);
  }
}
