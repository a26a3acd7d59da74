/**
 * A sketch: a distribution in a few hundred bytes, from which any percentile can be read with a
 * bounded relative error.
 *
 * A base-2 log-bucket histogram with 64 bins per power of two: bin i holds values in
 * (2^((i-1)/64), 2^(i/64)], and is read as the value with the same relative error to both bounds:
 * at most (g-1)/(g+1) = 0.542 %, with g = 2^(1/64). Merging is addition, so the sketch of an hour is
 * exactly the sum of its minutes, in any order. (A t-digest has no such bound on the error, and a
 * list of values has no bound on its size.)
 *
 * @see https://arxiv.org/abs/1908.10693 (DDSketch), Prometheus native histograms of schema 6
 */
import { BlobError, BlobReader, BlobWriter } from "./blob.ts";

export const BINS_PER_POWER = 64;
const BIN_WIDTH = 2 ** (1 / BINS_PER_POWER);

/** Values up to this count as zero: about a nanosecond, if the unit is milliseconds. */
export const ZERO_MAX = 2 ** -20;
/**
 * Values outside count in the outermost bin, which bounds the size. In milliseconds, BIN_MAX is 34
 * years.
 */
export const BIN_MIN = -20 * BINS_PER_POWER + 1;
export const BIN_MAX = 40 * BINS_PER_POWER;

export class Sketch {
  #zeros = 0;
  #sum = 0;
  #count = 0;
  readonly #bins = new Map<number, number>();

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  /** @throws {RangeError} unless `value` is finite and not negative */
  add(value: number): void {
    if (!Number.isFinite(value) || value < 0) throw new RangeError(`not a measurement: ${value}`);
    this.#count++;
    this.#sum += value;
    if (value <= ZERO_MAX) {
      this.#zeros++;
      return;
    }
    const bin = Math.min(BIN_MAX, Math.max(BIN_MIN, Math.ceil(Math.log2(value) * BINS_PER_POWER)));
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
  }

  merge(other: Sketch): void {
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#zeros += other.#zeros;
    for (const [bin, count] of other.#bins) this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + count);
  }

  /**
   * Returns the value of nearest rank: the smallest that at least `q` of all values do not exceed.
   * @param q  0 to 1
   * @returns a value within 0.55 % of the exact one; null in an empty sketch
   */
  quantile(q: number): number | null {
    if (this.#count === 0) return null;
    const rank = Math.min(this.#count, Math.max(1, Math.ceil(q * this.#count)));
    let seen = this.#zeros;
    if (seen >= rank) return 0;
    for (const [bin, count] of this.#sortedBins()) {
      seen += count;
      if (seen >= rank) return valueOfBin(bin);
    }
    throw new Error("the bins of a sketch contain fewer values than its count");
  }

  /** Returns the part of the values that are smaller, 0 to 1; null in an empty sketch. */
  partBelow(value: number): number | null {
    if (this.#count === 0) return null;
    let below = value > 0 ? this.#zeros : 0;
    for (const [bin, count] of this.#bins) if (valueOfBin(bin) < value) below += count;
    return below / this.#count;
  }

  /**
   * Returns the counts of bands of `bins` bins each, by their index: band i holds values in
   * (upperOfBand(i - 1), upperOfBand(i)]. Exact, since bands consist of whole bins. Zeros are in none.
   */
  bands(bins: number): Map<number, number> {
    const counts = new Map<number, number>();
    for (const [bin, count] of this.#bins) {
      const band = Math.ceil(bin / bins);
      counts.set(band, (counts.get(band) ?? 0) + count);
    }
    return counts;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const writer = new BlobWriter();
    this.write(writer);
    return writer.finish();
  }

  /** @throws {BlobError} if the bytes are not a sketch */
  static decode(bytes: Uint8Array): Sketch {
    const reader = new BlobReader(bytes);
    const sketch = Sketch.read(reader);
    reader.end();
    return sketch;
  }

  /**
   * Writes zeros, number of bins, first bin and then distances, each with its count, and the sum
   * unless empty.
   */
  write(writer: BlobWriter): void {
    writer.varint(this.#zeros);
    writer.varint(this.#bins.size);
    let previous: number | null = null;
    for (const [bin, count] of this.#sortedBins()) {
      if (previous === null) writer.signed(bin);
      else writer.varint(bin - previous);
      writer.varint(count);
      previous = bin;
    }
    if (this.#count > 0) writer.double(this.#sum);
  }

  /** @throws {BlobError} */
  static read(reader: BlobReader): Sketch {
    const sketch = new Sketch();
    sketch.#zeros = reader.varint();
    sketch.#count = sketch.#zeros;
    const bins = reader.varint();
    if (bins > BIN_MAX - BIN_MIN + 1) throw new BlobError(`a sketch has ${bins} bins`);
    let bin = 0;
    for (let i = 0; i < bins; i++) {
      const distance = i === 0 ? reader.signed() : reader.varint();
      if (i > 0 && distance === 0) throw new BlobError("a bin occurs twice");
      bin += distance;
      if (bin < BIN_MIN || bin > BIN_MAX) throw new BlobError(`bin ${bin} does not exist`);
      const count = reader.varint();
      if (count === 0) throw new BlobError("a stored bin is empty");
      sketch.#bins.set(bin, count);
      sketch.#count += count;
    }
    if (!Number.isSafeInteger(sketch.#count))
      throw new BlobError("a sketch has more than 2^53 values");
    if (sketch.#count > 0) sketch.#sum = reader.sum();
    return sketch;
  }

  #sortedBins(): [bin: number, count: number][] {
    return [...this.#bins].sort(([a], [b]) => a - b);
  }
}

/**
 * Returns the value that a bin is read as: the harmonic mean of its bounds, equally far from both
 * in proportion.
 */
export function valueOfBin(bin: number): number {
  const upper = 2 ** (bin / BINS_PER_POWER);
  return (2 * upper) / (1 + BIN_WIDTH);
}

/** Returns the upper bound of a band of {@link Sketch.bands}. */
export const upperOfBand = (band: number, bins: number): number =>
  2 ** ((band * bins) / BINS_PER_POWER);
