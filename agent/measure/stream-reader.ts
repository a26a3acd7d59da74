/**
 * Reads an answer in parts: NDJSON lines or server-sent events.
 *
 * Bytes are forwarded as they arrive, and the parts are parsed on the side. Only if usage is hidden
 * do they wait for the end of their event, which Ollama writes in one piece with its beginning.
 */
import type { AnswerDialect, AnswerPart } from "./answer-part.ts";
import type { Reader } from "./readers.ts";
import { Splitter } from "./splitter.ts";
import type { Tally } from "./tally.ts";
import { withoutUsage } from "./without-usage.ts";

export type StreamFormat = "ndjson" | "sse";

/**
 * Longest line or event that is parsed. A longer one ends the parsing; its bytes are still
 * forwarded.
 */
export const PART_BYTES_MAX = 8 * 1024 * 1024;

const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

export class StreamReader implements Reader {
  readonly #dialect: AnswerDialect;
  readonly #format: StreamFormat;
  readonly #hideUsage: boolean;
  readonly #tally: Tally;
  readonly #splitter: Splitter;
  #isReading = true;

  constructor(dialect: AnswerDialect, format: StreamFormat, hideUsage: boolean, tally: Tally) {
    this.#dialect = dialect;
    this.#format = format;
    this.#hideUsage = hideUsage;
    this.#tally = tally;
    this.#splitter = new Splitter(format === "sse" ? "blank_line" : "line_feed", PART_BYTES_MAX);
  }

  data(chunk: Uint8Array, nowMs: number): Uint8Array {
    if (!this.#isReading) return chunk;
    const parts = this.#splitter.push(chunk);
    const out: Uint8Array[] = [];
    for (const part of parts) {
      const shown = this.#read(part, nowMs, "the answer has a line that is not JSON");
      if (this.#hideUsage && shown.length > 0) out.push(shown);
    }
    if (this.#splitter.isOverlong) {
      this.#isReading = false;
      this.#tally.stopCounting();
      out.push(this.#splitter.rest());
    }
    if (!this.#hideUsage) return chunk;
    const [only = NOTHING] = out;
    return out.length <= 1 ? only : Buffer.concat(out);
  }

  end(nowMs: number): Uint8Array {
    if (!this.#isReading) return NOTHING;
    // A rest that is not JSON was cut off; the missing end reports that.
    const shown = this.#read(this.#splitter.rest(), nowMs, null);
    if (!this.#tally.isComplete)
      this.#tally.fail(`the answer ended without ${this.#dialect.streamEnd}`);
    return this.#hideUsage ? shown : NOTHING;
  }

  /** Returns the bytes to forward in place of the part if usage is hidden. */
  #read(part: Uint8Array, nowMs: number, notJson: string | null): Uint8Array {
    const text = decoder.decode(part);
    const json = this.#format === "sse" ? dataOf(text) : text.trim();
    if (json === "") return part;
    let parsed: AnswerPart;
    try {
      parsed =
        json === this.#dialect.endMark
          ? { isLast: true }
          : this.#dialect.streamed(JSON.parse(json));
    } catch {
      if (notJson !== null) this.#tally.fail(notJson);
      return part;
    }
    this.#tally.add(parsed, nowMs);
    return this.#hideUsage ? withoutUsage(part, json, parsed) : part;
  }
}

/** Returns the data of an event. Its name is not needed: the data repeat it as `type`. */
function dataOf(event: string): string {
  let data = "";
  for (const line of event.split("\n")) {
    if (!line.startsWith("data:")) continue;
    const value = line.slice(line[5] === " " ? 6 : 5, line.endsWith("\r") ? -1 : undefined);
    data += data === "" ? value : `\n${value}`;
  }
  return data;
}
