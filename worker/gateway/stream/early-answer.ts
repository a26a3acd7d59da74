/**
 * An answer that begins before Ollama's: headers at once, and signs of life while its caller waits, so
 * that no proxy gives up. Only for streamed answers, whose format has room for an error. Pure.
 *
 * The signs of life mean nothing in their format. In server-sent events they are comments, which also
 * show the wait. In NDJSON they are spaces before the first line, since JSON may begin with spaces:
 * blank lines are refused by Ollama's own client in Go.
 */
import { endingOf, errorPart } from "../../../protocol/ending.ts";
import { errorBody } from "../../../protocol/failures.ts";
import { NO_PAYLOAD } from "../../../protocol/frames.ts";
import { EARLY_STATUS, ERROR_CHARS_MAX, EVENT_SILENCE_MS } from "../../../protocol/limits.ts";
import type { Head, Headers, Open, WaitReport } from "../../../protocol/messages.ts";
import { wireErrorOf } from "../../errors.ts";
import type { CallerAnswer } from "./actions.ts";

const EVENTS = "text/event-stream";
const LINES = "application/x-ndjson";

/** The type of Ollama's streamed answers. */
const TYPES = new Map<string, string>([
  ["/api/chat", LINES],
  ["/api/generate", LINES],
  ["/v1/chat/completions", EVENTS],
  ["/v1/completions", EVENTS],
  ["/v1/responses", EVENTS],
  ["/v1/messages", EVENTS],
]);

/** Returns whether the answer of a call can begin before Ollama's. */
export const mayBeginEarly = ({ endpoint, stream }: Pick<Open, "endpoint" | "stream">): boolean =>
  stream && TYPES.has(endpoint);

const encoder = new TextEncoder();

/** Returns a JSON text in one line; null if it is not JSON. */
function jsonIn(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return null;
  }
}

export class EarlyAnswer {
  readonly #id: string;
  readonly #open: Open;
  #report: WaitReport;
  #reportedMs: number;
  #dueMs: number;

  constructor(id: string, open: Open, report: WaitReport, nowMs: number) {
    this.#id = id;
    this.#open = open;
    this.#report = report;
    this.#reportedMs = nowMs;
    this.#dueMs = nowMs;
  }

  get type(): string {
    return TYPES.get(this.#open.endpoint) ?? EVENTS;
  }

  get headers(): Headers {
    const { position, eta_ms } = this.#report;
    const headers: Headers = [["content-type", this.type]];
    if (position !== null) headers.push(["x-queue-position", String(position)]);
    if (eta_ms !== null) headers.push(["x-queue-eta-ms", String(Math.round(eta_ms))]);
    return headers;
  }

  /** The wait has changed. */
  waits(report: WaitReport, nowMs: number): void {
    this.#report = report;
    this.#reportedMs = nowMs;
  }

  /** When the next sign of life is due, unix ms. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Returns the sign of life that is due; null if none is. */
  takeKeepalive(nowMs: number): Uint8Array | null {
    if (nowMs < this.#dueMs) return null;
    this.#dueMs = nowMs + EVENT_SILENCE_MS;
    return encoder.encode(this.type === LINES ? " " : `: ${this.#textAt(nowMs)}\n\n`);
  }

  /** The call is on another box, whose place and load are not known yet. */
  moved(): void {
    this.#report = { ...this.#report, position: null, eta_ms: null, is_loading: false };
  }

  /** Returns whether the body of an answer goes on in this one; otherwise {@link partOf} takes the whole of it. */
  goesOn({ status, headers }: Head): boolean {
    const type = headers.find(([name]) => name === "content-type")?.[1] ?? "";
    return status === EARLY_STATUS && type.startsWith(this.type);
  }

  /** Returns a failure, or an answer that is no stream such as an error of Ollama, as the last part of this one. */
  partOf(answer: Extract<CallerAnswer, { kind: "whole" | "failed" }>): Uint8Array {
    const { api } = this.#open;
    if (answer.kind === "failed") {
      const error = wireErrorOf(answer.failure);
      return endingOf(this.type, api, error, this.#id, true) ?? NO_PAYLOAD;
    }
    const body = answer.body ?? NO_PAYLOAD;
    const json =
      jsonIn(new TextDecoder().decode(body)) ??
      JSON.stringify(this.#unknownError(answer.status, body));
    return encoder.encode(errorPart(this.type, api, json) ?? json);
  }

  #unknownError(status: number, body: Uint8Array): unknown {
    const text = new TextDecoder().decode(body.subarray(0, ERROR_CHARS_MAX));
    const message = `Ollama answered with status ${status}: ${text}`;
    return errorBody(this.#open.api, wireErrorOf({ reason: "ollama_broke", message }), this.#id);
  }

  #textAt(nowMs: number): string {
    const { position, eta_ms, is_loading } = this.#report;
    if (position === null) return is_loading ? "loading the model" : "waiting for Ollama's answer";
    const leftMs = eta_ms === null ? null : eta_ms - (nowMs - this.#reportedMs);
    const left = leftMs === null ? "" : `, about ${Math.max(1, Math.ceil(leftMs / 1_000))} s`;
    return `waiting, position ${position}${left}`;
  }
}
