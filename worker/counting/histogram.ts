/**
 * A histogram: exact counts per classic bucket, as Prometheus reads them.
 *
 * It complements the sketch: a sketch gives percentiles, but the counts at the published edges must
 * be exact, because other people's dashboards subtract them.
 */
import { BlobError, type BlobReader, type BlobWriter } from "./blob.ts";
import { totalOf } from "./total.ts";

export class Histogram {
  /** Upper bounds, inclusive, ascending. One more bucket, +Inf, follows the last. */
  readonly edges: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(edges: readonly number[]) {
    this.edges = edges;
    this.#counts = new Array<number>(edges.length + 1).fill(0);
  }

  get sum(): number {
    return this.#sum;
  }

  /** Values per bucket, not cumulative; +Inf last. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  get count(): number {
    return totalOf(this.#counts);
  }

  /** @param value  in the unit of the edges, finite and not negative */
  add(value: number): void {
    const found = this.edges.findIndex((edge) => value <= edge);
    this.#increase(found < 0 ? this.edges.length : found, 1);
    this.#sum += value;
  }

  /** @param other  a histogram with the same edges */
  merge(other: Histogram): void {
    for (const [bucket, count] of other.#counts.entries()) this.#increase(bucket, count);
    this.#sum += other.#sum;
  }

  /**
   * Writes the number of used buckets, the distance and count of each, and the sum unless empty.
   */
  write(writer: BlobWriter): void {
    const used = [...this.#counts.entries()].filter(([, count]) => count > 0);
    writer.varint(used.length);
    let next = 0;
    for (const [bucket, count] of used) {
      writer.varint(bucket - next);
      writer.varint(count);
      next = bucket + 1;
    }
    if (used.length > 0) writer.double(this.#sum);
  }

  /** @throws {BlobError} if the bytes are not a histogram with these edges */
  static read(reader: BlobReader, edges: readonly number[]): Histogram {
    const histogram = new Histogram(edges);
    const used = reader.varint();
    let next = 0;
    for (let i = 0; i < used; i++) {
      const bucket = next + reader.varint();
      if (bucket > edges.length)
        throw new BlobError(`bucket ${bucket} does not exist: there are ${edges.length + 1}`);
      const count = reader.varint();
      if (count === 0) throw new BlobError("a stored bucket is empty");
      histogram.#increase(bucket, count);
      next = bucket + 1;
    }
    if (used > 0) histogram.#sum = reader.sum();
    return histogram;
  }

  #increase(bucket: number, by: number): void {
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + by;
  }
}
