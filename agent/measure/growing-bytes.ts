/** A buffer that doubles when full, so that many small chunks cost as much as one large chunk. */
import { freeMemory } from "../../protocol/memory.ts";

const ROOM_BYTES_MIN = 1024;

export class GrowingBytes {
  #room = new Uint8Array(0);
  #length = 0;
  readonly #expected: number;

  /** @param expected  the length, if it is known, which saves the doubling */
  constructor(expected = ROOM_BYTES_MIN) {
    this.#expected = expected;
  }

  get length(): number {
    return this.#length;
  }

  /** A view, valid until the next change. */
  get view(): Uint8Array {
    return this.#room.subarray(0, this.#length);
  }

  append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#room.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#room.length, this.#expected));
      grown.set(this.view);
      freeMemory(this.#room.buffer);
      this.#room = grown;
    }
    this.#room.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Empties the buffer and keeps its memory. */
  clear(): void {
    this.#length = 0;
  }

  /** Empties the buffer and returns its bytes, which the caller then owns. */
  take(): Uint8Array {
    const taken = this.view;
    this.#room = new Uint8Array(0);
    this.#length = 0;
    return taken;
  }
}
