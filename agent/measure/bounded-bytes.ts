/**
 * Two bounded buffers for an answer whose bytes pass through: one for a whole answer, one for its
 * end. Their cost grows with the bytes written, whatever the size of the chunks.
 */
import { GrowingBytes } from "./growing-bytes.ts";

/**
 * Keeps everything up to `bytesMax`. If there is more it keeps nothing, and `isTooLong` is true.
 */
export class BoundedBytes {
  readonly #bytesMax: number;
  readonly #kept = new GrowingBytes();
  #isTooLong = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  get bytes(): Uint8Array {
    return this.#kept.view;
  }

  add(chunk: Uint8Array): void {
    if (this.#kept.length + chunk.length > this.#bytesMax) {
      this.#isTooLong = true;
      this.#kept.take();
    }
    if (!this.#isTooLong) this.#kept.append(chunk);
  }
}

/** Keeps the last `bytesMax` bytes, or all of them if there are fewer. */
export class TailBytes {
  readonly #bytesMax: number;
  /** Twice the size kept, so that many small chunks rarely move the kept bytes. */
  readonly #room: Uint8Array;
  #length = 0;
  #seenBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#room = new Uint8Array(2 * bytesMax);
  }

  /** True if nothing was dropped. */
  get isWhole(): boolean {
    return this.#seenBytes <= this.#bytesMax;
  }

  get bytes(): Uint8Array {
    return this.#room.subarray(Math.max(0, this.#length - this.#bytesMax), this.#length);
  }

  add(chunk: Uint8Array): void {
    const news = chunk.subarray(Math.max(0, chunk.length - this.#bytesMax));
    this.#seenBytes += chunk.length;
    if (this.#length + news.length > this.#room.length) {
      const kept = this.bytes;
      this.#room.copyWithin(0, kept.byteOffset - this.#room.byteOffset, this.#length);
      this.#length = kept.length;
    }
    this.#room.set(news, this.#length);
    this.#length += news.length;
  }
}
