/**
 * The answers of the stand-in Ollama, which follow from the call: every piece of every answer is
 * unique, so bytes that are lost, doubled, out of order or of another stream are found.
 *
 * Answers are generated piece by piece, so that an answer of a gigabyte needs no memory on either
 * side.
 */

/**
 * `plain`: bytes with a `content-length`. `json`: one JSON value in chunks, as Ollama sends those
 * longer than 2 KB.
 */
export const SHAPES = ["ndjson", "openai", "anthropic", "plain", "json"] as const;
export type Shape = (typeof SHAPES)[number];

/** A call, as the body of the request contains it. */
export type CallPlan = {
  /**
   * Unique. It is also the `User-Agent`, which finds the record if the caller never received the
   * request id.
   */
  key: string;
  shape: Shape;
  /** Number of pieces between the first and the last. */
  tokens: number;
  /** 0 for as fast as the caller reads. */
  tokenMs: number;
  /** Minimum size of a piece. */
  pieceBytes?: number;
};

export const MODEL = "stand-in:latest";

/** The path for each shape of answer. */
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

/** Returns the body of a request: Ollama's own fields and the call. */
export const bodyOf = (callPlan: CallPlan): string =>
  JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: callPlan.key }],
    stream: true,
    ...(callPlan.shape === "anthropic" ? { max_tokens: callPlan.tokens } : {}),
    call: callPlan,
  });

/**
 * Generates the answer in pieces. @param withUsage  an OpenAI stream contains its usage only on
 * request
 */
export function* piecesOf(callPlan: CallPlan, withUsage = false): Generator<Buffer> {
  const { first, token, last } = formats[callPlan.shape](callPlan, withUsage);
  if (first !== "") yield Buffer.from(first);
  for (let index = 0; index < callPlan.tokens; index++)
    yield Buffer.from(token(unitsOf(callPlan, index)));
  if (last !== "") yield Buffer.from(last);
}

/** Returns the length of a plain answer without generating it. */
export function plainLengthOf({ key, tokens, pieceBytes = 0 }: CallPlan): number {
  let bytes = 0;
  for (let index = 0; index < tokens; index++) {
    const unit = key.length + 2 + String(index).length;
    bytes += unit * Math.max(1, Math.ceil(pieceBytes / unit));
  }
  return bytes;
}

function unitsOf({ key, pieceBytes = 0 }: CallPlan, index: number): string {
  const unit = ` ${key}.${index}`;
  return unit.repeat(Math.max(1, Math.ceil(pieceBytes / unit.length)));
}

type ShapeFormat = { first: string; token(unit: string): string; last: string };

const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const named = (type: string, value: object): string =>
  `event: ${type}\n${event({ type, ...value })}`;

const formats: Record<Shape, (callPlan: CallPlan, withUsage: boolean) => ShapeFormat> = {
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
      token: (unit) => line(unit, { done: false }),
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
  plain: () => ({ first: "", token: (unit) => unit, last: "" }),
  json: () => ({ first: '{"words":"', token: (unit) => unit, last: '"}' }),
};

/** Result of comparing an answer with the expected one. */
export type Verdict =
  /** Every byte is right. */
  | "whole"
  /** The answer is right up to an error in its own format. */
  | "errored"
  /** The answer is right up to its end, but not complete. */
  | "cut"
  /** The answer contains wrong bytes. */
  | "wrong";

/** Compares an answer as it arrives, and keeps one piece of it. */
export class Checker {
  readonly #callPlan: CallPlan;
  readonly #pieces: Generator<Buffer>;
  #piece: Buffer | null;
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);
  bytes = 0;

  constructor(callPlan: CallPlan) {
    this.#callPlan = callPlan;
    this.#pieces = piecesOf(callPlan);
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

  /**
   * The result at the end of the answer. If it ended with something unexpected, {@link rest}
   * contains that.
   */
  get verdict(): Verdict {
    if (this.#rest.length === 0) return this.#piece === null ? "whole" : "cut";
    return this.#isError(this.rest) ? "errored" : "wrong";
  }

  /** Bytes from the start of the first piece that differs. */
  get rest(): string {
    return this.#rest.length === 0
      ? ""
      : `${this.#piece?.toString("utf8", 0, this.#at) ?? ""}${this.#rest.toString()}`;
  }

  /**
   * Returns whether these bytes are an error of this format after the right beginning of a piece.
   */
  #isError(rest: string): boolean {
    const ending = ENDINGS[this.#callPlan.shape]?.exec(rest);
    if (ending === null || ending === undefined) return false;
    try {
      const parsed = JSON.parse(ending[1] ?? "") as { error?: unknown };
      return (
        parsed.error !== undefined &&
        (this.#piece?.toString() ?? "").startsWith(rest.slice(0, ending.index))
      );
    } catch {
      return false;
    }
  }
}

/** The only error endings. A body that is not a stream has none; its length is wrong instead. */
const ENDINGS: Partial<Record<Shape, RegExp>> = {
  ndjson: /\n?(\{"error":.*\})\n$/,
  openai: /\n*data: (\{"error":.*\})\n\n$/,
  anthropic: /\n*event: error\ndata: (\{"type":"error",.*\})\n\n$/,
};
