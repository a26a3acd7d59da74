/**
 * Two bounded memories for an answer whose bytes pass through: its beginning, and its end.
 * Both cost what was written, whatever the size of the chunks.
 */
import { GrowingBytes } from "./growing-bytes.ts";

/** Keeps everything, as long as it is not more than `bytesMax`; beyond, keeps nothing and says so. */
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

/** Keeps the last bytes: `bytesMax` of them, or all if there were fewer. */
export class TailBytes {
  readonly #bytesMax: number;
  /** Twice what is kept, so that many small chunks move the kept bytes seldom. */
  readonly #room: Uint8Array;
  #length = 0;
  #seenBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#room = new Uint8Array(2 * bytesMax);
  }

  /** Nothing was dropped. */
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
