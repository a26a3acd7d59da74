/** The actions that the core of an edge stream returns and its shell runs. */
import type { Frame } from "../../../protocol/frames.ts";
import type { Headers } from "../../../protocol/messages.ts";
import type { FailureReason } from "../../errors.ts";
import type { EarlyAnswer } from "./early-answer.ts";
import type { Ended } from "./ended.ts";

/**
 * How a box answers the call, which is decided once. `length`: of the body, if announced; a promise that may
 * be broken.
 */
export type CallerAnswer =
  | { kind: "whole"; status: number; headers: Headers; body: Uint8Array | null }
  | { kind: "streamed"; status: number; headers: Headers; length: number | null }
  /** Goes on in an answer that has begun before. */
  | { kind: "continued" }
  | { kind: "failed"; failure: FailureReason }
  /** The caller left before the box answered. */
  | { kind: "abandoned" };

export type AnswerActions = {
  /** The caller's answer begins before the box answers. */
  early: EarlyAnswer | null;
  answer: CallerAnswer | null;
  /**
   * Bytes for the caller. `wrote` follows once it took them; there is no other write until then.
   */
  write: Uint8Array | null;
  /**
   * How the streamed answer ends, after that write. `closed` follows once the caller took a close.
   */
  finish: "close" | "break" | "abandon" | null;
};

/** Run in this order: frames, early, answer, ended, write, finish, then the rest. */
export type EdgeStreamActions = AnswerActions & {
  /** For the Box, as one message. Lost without harm if there is no socket. */
  frames: Frame[];
  /** The stream is over. Reported once. */
  ended: Ended | null;
  /** Read more of the request's body; `body` follows. */
  readsBody: boolean;
  /** The whole of the request's body was framed; it can leave the memory. */
  isBodySent: boolean;
  /** Wait this long, then dial a new socket to the Box; `attached` or `refused` follows. */
  redialMs: number | null;
  /** Nothing is left to do: release socket, timer and body. */
  isDone: boolean;
};

export const noActions = (): EdgeStreamActions => ({
  frames: [],
  early: null,
  answer: null,
  ended: null,
  write: null,
  finish: null,
  readsBody: false,
  isBodySent: false,
  redialMs: null,
  isDone: false,
});
