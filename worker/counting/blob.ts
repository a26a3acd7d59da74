/**
 * The encoding of blobs in storage: unsigned varints and doubles, checked when they are read.
 *
 * Defines the bytes of a number; cells, sketches and histograms define what the numbers mean.
 * Varints have 7 bits a byte, least significant first, because most counts are small.
 */

/**
 * Thrown for bytes that are not a valid blob: storage is damaged, or was written by a newer
 * version.
 */
export class BlobError extends Error {
  override readonly name = "BlobError";
}

const DOUBLE_BYTES = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class BlobWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** @throws {RangeError} unless `value` is an integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a count: ${value}`);
    let rest = value;
    // Division, not shifts: shifts work on 32 bits.
    while (rest >= 0x80) {
      this.#byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Writes a signed integer: 0, -1, 1, -2 … become 0, 1, 2, 3 … */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  double(value: number): void {
    this.#reserve(DOUBLE_BYTES);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value);
    this.#length += DOUBLE_BYTES;
  }

  text(value: string): void {
    this.bytes(encoder.encode(value));
  }

  /** Writes a blob into this one. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Returns the blob in a buffer of exactly its size: SQLite stores buffers, not views. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Reads a blob. Every method throws {@link BlobError} if the bytes are not what it expects. */
export class BlobReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new BlobError("the blob ends in the middle of a number");
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw new BlobError("a number has more than 53 bits");
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) throw new BlobError("a number has a superfluous last byte");
        return value;
      }
      scale *= 0x80;
    }
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Reads a sum: finite, not negative. */
  sum(): number {
    if (this.#at + DOUBLE_BYTES > this.#bytes.length)
      throw new BlobError("the blob ends in the middle of a sum");
    const value = new DataView(
      this.#bytes.buffer,
      this.#bytes.byteOffset,
      this.#bytes.byteLength,
    ).getFloat64(this.#at);
    if (!Number.isFinite(value) || value < 0) throw new BlobError(`${value} is not a valid sum`);
    this.#at += DOUBLE_BYTES;
    return value;
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  bytes(): Uint8Array {
    const length = this.varint();
    if (this.#at + length > this.#bytes.length)
      throw new BlobError("the blob ends in the middle of its bytes");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  end(): void {
    if (this.#at !== this.#bytes.length)
      throw new BlobError(`${this.#bytes.length - this.#at} bytes follow the end of the blob`);
  }
}
