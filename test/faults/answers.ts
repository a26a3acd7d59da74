/**
 * What the stand-in Ollama says, which follows from what it is asked: every answer differs from every
 * other in every piece, so bytes that are lost, doubled, out of order or of another stream show.
 *
 * Made piece by piece, so that an answer of a gigabyte needs no memory on either side.
 */

/** `plain`: bytes with a `content-length`. `json`: one JSON value in chunks, as Ollama sends what is longer than 2 KB. */
export const SHAPES = ["ndjson", "openai", "anthropic", "plain", "json"] as const;
export type Shape = (typeof SHAPES)[number];

/** A call, as it travels in the body of the request. */
export type Ask = {
  /** Unique; also its `User-Agent`, by which its record is found when its caller never learned the request id. */
  key: string;
  shape: Shape;
  /** Pieces between the first and the last. */
  tokens: number;
  /** 0: as fast as it is taken. */
  tokenMs: number;
  /** Least size of a piece. */
  pieceBytes?: number;
};

export const MODEL = "stand-in:latest";

/** Where such an answer comes from. */
export const PATHS: Record<Shape, string> = {
  ndjson: "/ollama/api/chat",
  openai: "/v1/chat/completions",
  anthropic: "/v1/messages",
  plain: "/ollama/api/show",
  json: "/ollama/api/show",
};

export const MEDIA_TYPES: Record<Shape, string> = {
  ndjson: "application/x-ndjson",
  openai: "text/event-stream",
  anthropic: "text/event-stream",
  plain: "application/octet-stream",
  json: "application/json; charset=utf-8",
};

const CREATED_AT = "2026-01-01T00:00:00.123456Z";

/** The body of a request. Ollama's own fields, and the call. */
export const bodyOf = (ask: Ask): string =>
  JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: ask.key }],
    stream: true,
    ...(ask.shape === "anthropic" ? { max_tokens: ask.tokens } : {}),
    call: ask,
  });

/** The answer in pieces. @param withUsage  an OpenAI stream tells its usage only when asked to */
export function* piecesOf(ask: Ask, withUsage = false): Generator<Buffer> {
  const { first, token, last } = voices[ask.shape](ask, withUsage);
  if (first !== "") yield Buffer.from(first);
  for (let index = 0; index < ask.tokens; index++) yield Buffer.from(token(wordOf(ask, index)));
  if (last !== "") yield Buffer.from(last);
}

/** Length of a plain answer, without making it. */
export function plainLengthOf({ key, tokens, pieceBytes = 0 }: Ask): number {
  let bytes = 0;
  for (let index = 0; index < tokens; index++) {
    const word = key.length + 2 + String(index).length;
    bytes += word * Math.max(1, Math.ceil(pieceBytes / word));
  }
  return bytes;
}

function wordOf({ key, pieceBytes = 0 }: Ask, index: number): string {
  const word = ` ${key}.${index}`;
  return word.repeat(Math.max(1, Math.ceil(pieceBytes / word.length)));
}

type Voice = { first: string; token(word: string): string; last: string };

const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (type: string, value: object): string =>
  `event: ${type}\n${event({ type, ...value })}`;

const voices: Record<Shape, (ask: Ask, withUsage: boolean) => Voice> = {
  ndjson: ({ tokens }) => {
    const line = (content: string, rest: object) =>
      `${JSON.stringify({ model: MODEL, created_at: CREATED_AT, message: { role: "assistant", content }, ...rest })}\n`;
    const durations = {
      total_duration: 9_000_000,
      load_duration: 1_000_000,
      prompt_eval_duration: 2_000_000,
      eval_duration: 6_000_000,
    };
    const counts = { prompt_eval_count: 7, eval_count: tokens };
    return {
      first: "",
      token: (word) => line(word, { done: false }),
      last: line("", { done: true, done_reason: "stop", ...counts, ...durations }),
    };
  },
  openai: ({ key, tokens }, withUsage) => {
    const chunk = (rest: object) =>
      event({ id: key, object: "chat.completion.chunk", created: 1, model: MODEL, ...rest });
    const choice = (delta: object, finish_reason: string | null) =>
      chunk({ choices: [{ index: 0, delta, finish_reason }] });
    const usage = { prompt_tokens: 7, completion_tokens: tokens, total_tokens: 7 + tokens };
    return {
      first: "",
      token: (content) => choice({ content }, null),
      last: `${choice({}, "stop")}${withUsage ? chunk({ choices: [], usage }) : ""}data: [DONE]\n\n`,
    };
  },
  anthropic: ({ key, tokens }) => ({
    first:
      named("message_start", {
        message: {
          id: key,
          type: "message",
          role: "assistant",
          content: [],
          model: MODEL,
          usage: {},
        },
      }) + named("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    token: (text) =>
      named("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    last:
      named("content_block_stop", { index: 0 }) +
      named("message_delta", {
        delta: { stop_reason: "end_turn" },
        usage: { input_tokens: 7, output_tokens: tokens },
      }) +
      named("message_stop", {}),
  }),
  plain: () => ({ first: "", token: (word) => word, last: "" }),
  json: () => ({ first: '{"words":"', token: (word) => word, last: '"}' }),
};

/** How an answer compares with what it must be. */
export type Verdict =
  /** Every byte, and no other. */
  | "whole"
  /** Right as far as it goes, then an error in the answer's own format. */
  | "told"
  /** Right as far as it goes. */
  | "cut"
  /** Bytes that were never said. */
  | "wrong";

/** Compares an answer while it comes, holding one piece. */
export class Checker {
  readonly #ask: Ask;
  readonly #pieces: Generator<Buffer>;
  #piece: Buffer | null;
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);
  bytes = 0;

  constructor(ask: Ask) {
    this.#ask = ask;
    this.#pieces = piecesOf(ask);
    this.#piece = this.#pieces.next().value ?? null;
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    let from = 0;
    while (this.#rest.length === 0 && from < chunk.length && this.#piece !== null) {
      const length = Math.min(chunk.length - from, this.#piece.length - this.#at);
      if (chunk.compare(this.#piece, this.#at, this.#at + length, from, from + length) !== 0) break;
      from += length;
      this.#at += length;
      if (this.#at < this.#piece.length) continue;
      this.#piece = this.#pieces.next().value ?? null;
      this.#at = 0;
    }
    if (from < chunk.length)
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(from)]).subarray(0, 8_192);
  }

  /** The end of the answer. What it ended with, when that is not what was said, is in {@link rest}. */
  get verdict(): Verdict {
    if (this.#rest.length === 0) return this.#piece === null ? "whole" : "cut";
    return this.#isError(this.rest) ? "told" : "wrong";
  }

  /** From the beginning of the piece in which it went another way. */
  get rest(): string {
    return this.#rest.length === 0
      ? ""
      : `${this.#piece?.toString("utf8", 0, this.#at) ?? ""}${this.#rest.toString()}`;
  }

  /** An error of this format, after a true beginning of the piece that it broke off. */
  #isError(rest: string): boolean {
    const ending = ENDINGS[this.#ask.shape]?.exec(rest);
    if (ending === null || ending === undefined) return false;
    try {
      const said = JSON.parse(ending[1] ?? "") as { error?: unknown };
      return (
        said.error !== undefined &&
        (this.#piece?.toString() ?? "").startsWith(rest.slice(0, ending.index))
      );
    } catch {
      return false;
    }
  }
}

/** The only ways to end with an error. A body that is no stream has none: its length breaks. */
const ENDINGS: Partial<Record<Shape, RegExp>> = {
  ndjson: /\n?(\{"error":.*\})\n$/,
  openai: /\n*data: (\{"error":.*\})\n\n$/,
  anthropic: /\n*event: error\ndata: (\{"type":"error",.*\})\n\n$/,
};
