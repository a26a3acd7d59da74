/**
 * Splits bytes that arrive in chunks of any size into lines (NDJSON) or events (SSE).
 *
 * Works on bytes, so a chunk may end inside a UTF-8 sequence. A part that is complete within one
 * chunk is a view into that chunk. Only incomplete parts are copied, so the cost grows with the
 * bytes and not with the number of chunks.
 */
import { GrowingBytes } from "./growing-bytes.ts";

const LF = 0x0a;
const CR = 0x0d;

export class Splitter {
  readonly #endsWith: "line_feed" | "blank_line";
  readonly #bytesMax: number;
  /** The incomplete part of earlier chunks. */
  readonly #held = new GrowingBytes();
  /** Bytes of the current line in earlier chunks. */
  #lineBytes = 0;
  #isOverlong = false;

  /** @param bytesMax  size limit of one part including its end; see {@link isOverlong} */
  constructor(endsWith: "line_feed" | "blank_line", bytesMax: number) {
    this.#endsWith = endsWith;
    this.#bytesMax = bytesMax;
  }

  /** True if a part exceeds the limit: take the held bytes with {@link rest}, and push no more. */
  get isOverlong(): boolean {
    return this.#isOverlong;
  }

  /**
   * Returns the parts that this chunk completes, each with its end. Views, valid while the chunk
   * is.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let partAt = 0;
    let lineAt = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, lineAt)) {
      const isEnd = this.#endsWith === "line_feed" || this.#isBlank(chunk, lineAt, at);
      lineAt = at + 1;
      this.#lineBytes = 0;
      if (!isEnd) continue;
      if (this.#held.length + lineAt - partAt > this.#bytesMax) break;
      parts.push(this.#whole(chunk.subarray(partAt, lineAt)));
      partAt = lineAt;
    }
    this.#lineBytes += chunk.length - lineAt;
    this.#held.append(chunk.subarray(partAt));
    this.#isOverlong = this.#held.length > this.#bytesMax;
    return parts;
  }

  /** Returns the bytes since the last complete part, and empties the splitter. */
  rest(): Uint8Array {
    return this.#held.take();
  }

  /** Returns true if the line that ends at `end` is empty except for a carriage return. */
  #isBlank(chunk: Uint8Array, start: number, end: number): boolean {
    const length = this.#lineBytes + end - start;
    if (length !== 1) return length === 0;
    return (end > start ? chunk[start] : this.#held.view.at(-1)) === CR;
  }

  #whole(ending: Uint8Array): Uint8Array {
    if (this.#held.length === 0) return ending;
    this.#held.append(ending);
    const whole = this.#held.view.slice();
    this.#held.clear();
    return whole;
  }
}
