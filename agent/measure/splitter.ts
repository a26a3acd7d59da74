/**
 * Cuts bytes that arrive in any pieces into lines (NDJSON) or events (SSE).
 *
 * Works on bytes, so a chunk may end inside a UTF-8 sequence. A part that is complete within one
 * chunk is a view into it; only what is incomplete is copied, so the work grows with the bytes and
 * not with the number of chunks.
 */
import { GrowingBytes } from "./growing-bytes.ts";

const LF = 0x0a;
const CR = 0x0d;

export class Splitter {
  readonly #endsWith: "line_feed" | "blank_line";
  readonly #bytesMax: number;
  /** The incomplete part that came with earlier chunks. */
  readonly #held = new GrowingBytes();
  /** Bytes of the current line that came with earlier chunks. */
  #lineBytes = 0;
  #isOverlong = false;

  /** @param bytesMax of one part with its end; see {@link isOverlong} */
  constructor(endsWith: "line_feed" | "blank_line", bytesMax: number) {
    this.#endsWith = endsWith;
    this.#bytesMax = bytesMax;
  }

  /** A part is longer than allowed: take what is held with {@link rest}, and push no more. */
  get isOverlong(): boolean {
    return this.#isOverlong;
  }

  /** The parts that this chunk completes, each with its end. Views: they live as long as the chunk is not written to. */
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

  /** What has come since the last complete part; nothing is held after. */
  rest(): Uint8Array {
    return this.#held.take();
  }

  /** Whether the line that ends at `end` is empty but for a carriage return. */
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
