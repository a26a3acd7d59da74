/**
 * Readers of an answer while its bytes pass: in parts, as one object, by its tail, as an error, or
 * not at all. Each returns the bytes to forward.
 */
import { ERROR_CHARS_MAX } from "../../protocol/limits.ts";
import type { AnswerDialect, AnswerPart } from "./answer-part.ts";
import { BoundedBytes, TailBytes } from "./bounded-bytes.ts";
import { EMBEDDINGS_TAIL_BYTES, partOfEmbeddings } from "./embeddings.ts";
import { errorBodyText } from "./error-body.ts";
import type { Tally } from "./tally.ts";

export type Reader = {
  /** Returns the bytes to forward now. */
  data(chunk: Uint8Array, nowMs: number): Uint8Array;
  /** Ends the answer and returns the bytes held back. */
  end(nowMs: number): Uint8Array;
};

/**
 * Longest answer in one object that is parsed. A longer one is forwarded, and its usage is unknown.
 */
export const WHOLE_BYTES_MAX = 8 * 1024 * 1024;

/** Space for an error text of full length in any script, with the JSON around it. */
const ERROR_BODY_BYTES_MAX = 16 * ERROR_CHARS_MAX;

const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

export const passingReader: Reader = { data: (chunk) => chunk, end: () => NOTHING };

/** Keeps the passing bytes and parses them at the end. */
const readAtEnd = (kept: { add(chunk: Uint8Array): void }, read: () => void): Reader => ({
  data(chunk) {
    kept.add(chunk);
    return chunk;
  },
  end() {
    read();
    return NOTHING;
  },
});

/** Reads an answer that is one JSON object. */
export function wholeReader(dialect: AnswerDialect, tally: Tally): Reader {
  const kept = new BoundedBytes(WHOLE_BYTES_MAX);
  return readAtEnd(kept, () => {
    if (kept.isTooLong) return tally.addWhole({});
    const text = decoder.decode(kept.bytes);
    try {
      tally.addWhole(dialect.whole(JSON.parse(text)));
    } catch {
      tally.fail(
        text.trim() === ""
          ? "the answer is empty"
          : "the answer is not JSON, or ended in the middle",
      );
    }
    if (!tally.isComplete)
      tally.fail(`the answer is not complete (${dialect.wholeEnd} is missing)`);
  });
}

/** Reads an answer that is one object or one text, also if its type is that of a stream. */
export function mediaReader(partOf: (text: string) => AnswerPart, tally: Tally): Reader {
  const kept = new BoundedBytes(WHOLE_BYTES_MAX);
  return readAtEnd(kept, () => {
    if (kept.isTooLong) return tally.addWhole({});
    tally.addWhole(partOf(decoder.decode(kept.bytes)));
    if (!tally.isComplete) tally.fail("the answer is empty, or ended in the middle");
  });
}

/** Reads an answer without parsing its vectors. */
export function embeddingsReader(tally: Tally): Reader {
  const kept = new TailBytes(EMBEDDINGS_TAIL_BYTES);
  return readAtEnd(kept, () => {
    tally.addWhole(partOfEmbeddings(decoder.decode(kept.bytes), kept.isWhole));
    if (!tally.isComplete) tally.fail("the answer is not JSON, or ended in the middle");
  });
}

/** Reads an answer with a status of 400 or more. */
export function errorReader(status: number, tally: Tally): Reader {
  const kept = new BoundedBytes(ERROR_BODY_BYTES_MAX);
  return {
    data(chunk) {
      kept.add(chunk);
      return chunk;
    },
    end() {
      tally.fail(
        kept.isTooLong
          ? `Ollama answered HTTP ${status} with a text too long to keep`
          : errorBodyText(status, decoder.decode(kept.bytes)),
      );
      return NOTHING;
    },
  };
}
