/**
 * The answer as a record keeps it: the model's thinking, its text, and its tool calls, in one text
 * of bounded length.
 *
 * Thinking comes first, as `<think>…</think>`. A tool call follows the text on a line of its own, as
 * `<tool_call>{"name":…,"arguments":{…}}</tool_call>`. These are the marks that open models use
 * themselves. A mark that is not closed belongs to an answer that broke off.
 */
import { RESPONSE_CHARS_MAX } from "../../protocol/limits.ts";
import type { AnswerPart, ToolCallPiece } from "./answer-part.ts";
import { BoundedText } from "./bounded-text.ts";

/** Long thinking must leave room for the answer. */
const THINKING_CHARS_MAX = RESPONSE_CHARS_MAX / 2;

const CALL_END = "}</tool_call>";

export class Transcript {
  readonly #thinking = new BoundedText(THINKING_CHARS_MAX);
  readonly #answer = new BoundedText(RESPONSE_CHARS_MAX);
  #call: "none" | "named" | "with_arguments" = "none";
  #isComplete = false;

  add({ text, thinking, calls = [], isLast }: AnswerPart): void {
    if (thinking) this.#thinking.add(thinking);
    if (text) {
      this.#endCall();
      this.#answer.add(text);
    }
    for (const piece of calls) this.#addCall(piece);
    if (isLast === true) this.#endCall();
    this.#isComplete = isLast ?? this.#isComplete;
  }

  /** Null if the answer had no content. */
  get text(): string | null {
    const answer = this.#answer.text;
    const thinking = this.#thinking.text;
    if (thinking === null) return answer;
    const hasEnded = answer !== null || this.#isComplete;
    const before = `<think>${thinking}${hasEnded ? "</think>" : ""}`;
    if (answer === null) return before;
    return `${before}\n\n${this.#answer.within(RESPONSE_CHARS_MAX - before.length - 2)}`;
  }

  #addCall({ name, argumentsJson }: ToolCallPiece): void {
    if (name !== undefined) {
      this.#endCall();
      const lineFeed = this.#answer.text === null ? "" : "\n";
      this.#answer.add(`${lineFeed}<tool_call>{"name":${JSON.stringify(name)},"arguments":`);
      this.#call = "named";
    }
    if (!argumentsJson || this.#call === "none") return;
    this.#answer.add(argumentsJson);
    this.#call = "with_arguments";
  }

  #endCall(): void {
    if (this.#call === "none") return;
    this.#answer.add(this.#call === "named" ? `{}${CALL_END}` : CALL_END);
    this.#call = "none";
  }
}
