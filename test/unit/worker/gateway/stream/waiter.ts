/** A call whose answer may begin before Ollama's, its frames, and everything that its caller receives. */
import {
  encodeFrames,
  type Frame,
  FrameType,
  jsonBytes,
  NO_PAYLOAD,
} from "../../../../../protocol/frames.ts";
import { EARLY_STATUS } from "../../../../../protocol/limits.ts";
import type { Open, QueueWait, WaitReport } from "../../../../../protocol/messages.ts";
import type { EdgeStreamActions } from "../../../../../worker/gateway/stream/actions.ts";
import type { EarlyAnswer } from "../../../../../worker/gateway/stream/early-answer.ts";
import { EdgeStreamCore } from "../../../../../worker/gateway/stream/edge-stream-core.ts";
import { newPulse } from "../../../../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../../../../support/chat-open.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
export const WAITING: WaitReport = { position: 3, eta_ms: 12_000, slots: 1, is_loading: false };
export const LOADING: WaitReport = { position: null, eta_ms: null, slots: 1, is_loading: true };
export const EVENTS = "text/event-stream";
export const LINES = "application/x-ndjson";

export const numbered = (
  type: FrameType,
  seq: number,
  payload: Uint8Array = NO_PAYLOAD,
): Frame => ({
  type,
  stream: ID,
  seq,
  payload,
});
export const waiting = (report: object = WAITING) =>
  numbered(FrameType.waiting, 0, jsonBytes(report));
export const head = (status: number, type: string, queue?: QueueWait) =>
  numbered(FrameType.head, 0, jsonBytes({ status, headers: [["content-type", type]], queue }));
export const data = (seq: number, text: string) =>
  numbered(FrameType.data, seq, new TextEncoder().encode(text));
export const end = (seq: number) => numbered(FrameType.end, seq);

type Last = Parameters<EarlyAnswer["partOf"]>[0];

/** A call, and everything that its caller received. The caller takes each write at once. */
export class Waiter {
  readonly core: EdgeStreamCore;
  /** The answer that began before the box's. */
  early: EdgeStreamActions["early"] = null;
  answer: EdgeStreamActions["answer"] = null;
  finish: EdgeStreamActions["finish"] = null;
  ended: EdgeStreamActions["ended"] = null;
  text = "";

  /** @param early  began while the call was on another box */
  constructor(
    endpoint: string,
    api: Open["api"],
    more: Partial<Open> = {},
    early: EdgeStreamActions["early"] = null,
  ) {
    this.early = early;
    const open: Open = { ...CHAT_OPEN, path: endpoint, endpoint, api, ...more };
    this.core = new EdgeStreamCore({ id: ID, box: "b", open, early }, null, newPulse(), () => 0.5);
    this.core.begin(0, this.core.open());
  }

  receive(nowMs: number, ...frames: Frame[]): void {
    this.#do(this.core.received(encodeFrames(frames), nowMs));
  }

  tick(nowMs: number): void {
    this.#do(this.core.tick(nowMs));
  }

  /** Status and headers, in lower case. */
  get head(): Record<string, string | number> | null {
    const { answer, early } = this;
    if (early !== null) return { status: EARLY_STATUS, ...Object.fromEntries(early.headers) };
    if (answer === null || !("status" in answer)) return null;
    return { status: answer.status, ...Object.fromEntries(answer.headers) };
  }

  #do(acts: EdgeStreamActions): void {
    this.early ??= acts.early;
    this.answer ??= acts.answer;
    this.ended ??= acts.ended;
    this.finish ??= acts.finish;
    const isLast = acts.answer?.kind === "whole" || acts.answer?.kind === "failed";
    if (this.early !== null && isLast)
      this.text += new TextDecoder().decode(this.early.partOf(acts.answer as Last));
    else if (acts.answer?.kind === "whole")
      this.text += new TextDecoder().decode(acts.answer.body ?? NO_PAYLOAD);
    if (acts.write !== null) this.text += new TextDecoder().decode(acts.write);
    if (acts.finish === "close") this.#do(this.core.closed());
    else if (acts.write !== null) this.#do(this.core.wrote());
  }
}
