/**
 * The answers of a simulated Ollama to `/api/chat`. Each exchange answers with text of its own, so a foreign
 * token is noticed wherever it appears, even one of a second answer to the same call.
 */
import type { LocalRequest } from "../../../agent/request/ollama.ts";
import { type FleetCallPlan, PROMPT_TOKENS } from "./plan.ts";

/** One request that Ollama has received. */
export type ChatExchange = {
  /** Differs for each request of a world. */
  number: number;
  call: FleetCallPlan;
  box: string;
  local: LocalRequest;
  arrivedMs: number;
  /** When it got a slot; null before. */
  begunMs: number | null;
  hasHead: boolean;
  /** The whole answer was made, and it is no failure. */
  isCompleted: boolean;
  isOpen: boolean;
  /** When it was over, for any reason; null while it is open. */
  overMs: number | null;
  /** Its agent was away since it arrived, before the call came to the next box. */
  isCutOff: boolean;
};

/** The times of an answer, ms. */
export type ChatTimes = { totalMs: number; loadMs: number; prefillMs: number; decodeMs: number };

const NS_PER_MS = 1e6;

const contentOf = (number: number, token: number): string => `${number}.${token} `;

/** Returns the text of a whole answer. */
export const answerTextOf = (number: number, tokens: number): string =>
  Array.from({ length: tokens }, (_, token) => contentOf(number, token)).join("");

/** Returns the line of one token. */
export const tokenLine = ({ number, call: { model } }: ChatExchange, token: number): string =>
  JSON.stringify({
    model,
    message: { role: "assistant", content: contentOf(number, token) },
    done: false,
  });

/** Returns the last line of an answer, or all of one in one piece. @param content  its text */
export const lastLine = (
  { call: { model, tokens } }: ChatExchange,
  content: string,
  { totalMs, loadMs, prefillMs, decodeMs }: ChatTimes,
): string =>
  JSON.stringify({
    model,
    message: { role: "assistant", content },
    done: true,
    done_reason: "stop",
    total_duration: NS_PER_MS * totalMs,
    load_duration: NS_PER_MS * loadMs,
    prompt_eval_count: PROMPT_TOKENS,
    prompt_eval_duration: NS_PER_MS * prefillMs,
    eval_count: tokens,
    eval_duration: NS_PER_MS * decodeMs,
  });
