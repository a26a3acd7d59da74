/**
 * The ways to read an answer while its bytes pass: by parts, as one object, by its tail, as an
 * error, or not at all. Each gives back the bytes to send on.
 */
import { ERROR_CHARS_MAX } from "../../protocol/limits.ts";
import type { AnswerDialect } from "./answer-part.ts";
import { BoundedBytes, TailBytes } from "./bounded-bytes.ts";
import { EMBEDDINGS_TAIL_BYTES, partOfEmbeddings } from "./embeddings.ts";
import { errorBodyText } from "./error-body.ts";
import type { Tally } from "./tally.ts";

export type Reader = {
  /** @returns the bytes to send on now */
  data(chunk: Uint8Array, nowMs: number): Uint8Array;
  /** Ollama's answer is over. @returns the bytes that were held back */
  end(nowMs: number): Uint8Array;
};

/** The longest answer in one object that is read. A longer one passes, and its usage stays unknown. */
export const WHOLE_BYTES_MAX = 8 * 1024 * 1024;

/** Room for the JSON around an error that is kept in full, in any script. */
const ERROR_BODY_BYTES_MAX = 16 * ERROR_CHARS_MAX;

const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

export const passingReader: Reader = { data: (chunk) => chunk, end: () => NOTHING };

/** Keeps what passes, and reads it at the end. The content of such an answer is what came first, whenever we can read it. */
const readAtEnd = (
  kept: { add(chunk: Uint8Array): void },
  read: (firstMs: number) => void,
): Reader => {
  let firstMs: number | null = null;
  return {
    data(chunk, nowMs) {
      firstMs ??= nowMs;
      kept.add(chunk);
      return chunk;
    },
    end(nowMs) {
      read(firstMs ?? nowMs);
      return NOTHING;
    },
  };
};

/** An answer that is one JSON object. */
export function wholeReader(dialect: AnswerDialect, tally: Tally): Reader {
  const kept = new BoundedBytes(WHOLE_BYTES_MAX);
  return readAtEnd(kept, (firstMs) => {
    if (kept.isTooLong) return tally.add({ hasContent: true }, firstMs);
    const text = decoder.decode(kept.bytes);
    try {
      tally.add(dialect.whole(JSON.parse(text)), firstMs);
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

/** An answer whose vectors are not read. */
export function embeddingsReader(tally: Tally): Reader {
  const kept = new TailBytes(EMBEDDINGS_TAIL_BYTES);
  return readAtEnd(kept, (firstMs) => {
    tally.add(partOfEmbeddings(decoder.decode(kept.bytes), kept.isWhole), firstMs);
    if (!tally.isComplete) tally.fail("the answer is not JSON, or ended in the middle");
  });
}

/** An answer with a status of 400 or more. */
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
          ? `Ollama answered ${status} with a long text`
          : errorBodyText(status, decoder.decode(kept.bytes)),
      );
      return NOTHING;
    },
  };
}
