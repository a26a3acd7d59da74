/**
 * The caller's side of a call: the one answer that its caller gets, on however many boxes the call has been.
 * An answer that has begun before Ollama's goes on with that of the next box, or ends with an error in its
 * own format.
 */
import { CLOSED_REQUEST } from "../../../protocol/failures.ts";
import { EARLY_STATUS } from "../../../protocol/limits.ts";
import type { Headers as HeaderPairs, Open } from "../../../protocol/messages.ts";
import { errorResponse } from "../../error-response.ts";
import { type FailureReason, GatewayError } from "../../errors.ts";
import type { CallerAnswer, EdgeStreamActions } from "./actions.ts";
import type { EarlyAnswer } from "./early-answer.ts";

export class CallerSide {
  readonly #id: string;
  readonly #api: Open["api"];
  readonly #answered = Promise.withResolvers<Response>();
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #early: EarlyAnswer | null = null;
  #isGone = false;
  /** Called when the caller leaves, also between two writes: by the stream that has the call. */
  onGone: () => void = () => {};

  constructor({ id, open }: { id: string; open: Pick<Open, "api"> }) {
    this.#id = id;
    this.#api = open.api;
  }

  /** Resolves with the caller's answer, once it begins. Never rejects. */
  get response(): Promise<Response> {
    return this.#answered.promise;
  }

  /** The answer that has begun before Ollama's; null if none has. */
  get early(): EarlyAnswer | null {
    return this.#early;
  }

  /** True once the caller is known to have left. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Begins the answer before Ollama's. */
  beginEarly(early: EarlyAnswer): void {
    this.#early = early;
    const { headers } = early;
    this.begin({ status: EARLY_STATUS, headers, length: null });
  }

  /** Begins a streamed answer, whose bytes follow in writes. */
  begin({ status, headers, length }: Omit<Streamed, "kind">): void {
    const { readable, writable } =
      length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
    this.#writer = writable.getWriter();
    this.#writer.closed.catch(() => {
      this.#isGone = true;
      this.onGone();
    });
    this.#answered.resolve(new Response(readable, { status, headers: headersOf(headers) }));
  }

  /**
   * Gives the answer of a box, or the failure of the call, unless the answer is streamed: that has begun when its
   * box did.
   */
  async give(answer: CallerAnswer): Promise<void> {
    switch (answer.kind) {
      case "streamed":
      case "continued":
        return;
      case "abandoned":
        return this.#answered.resolve(new Response(null, { status: CLOSED_REQUEST }));
      case "whole":
      case "failed":
        if (this.#early !== null) return this.#end(this.#early.partOf(answer));
        return this.#answered.resolve(this.#responseOf(answer));
    }
  }

  /** Ends an answer that has begun before Ollama's with a failure. */
  async endEarly(failure: FailureReason): Promise<void> {
    if (this.#early !== null) await this.give({ kind: "failed", failure });
  }

  /**
   * Writes the next bytes of a streamed answer, and ends it.
   * @param box  the box whose answer it is
   * @returns whether the caller took them; false if it has left, or the answer is no stream
   */
  async write(
    bytes: Uint8Array | null,
    finish: EdgeStreamActions["finish"],
    box: string,
  ): Promise<boolean> {
    const writer = this.#writer;
    if (writer === null) return false;
    try {
      if (bytes !== null) await writer.write(bytes);
      if (finish === "close") await writer.close();
      else if (finish !== null)
        await writer.abort(new GatewayError({ reason: "tunnel_lost", box }));
      return true;
    } catch {
      return false;
    }
  }

  async #end(part: Uint8Array): Promise<void> {
    try {
      await this.#writer?.write(part);
      await this.#writer?.close();
    } catch {
      // the caller has left
    }
  }

  #responseOf(answer: Extract<CallerAnswer, { kind: "whole" | "failed" }>): Response {
    if (answer.kind === "failed") return errorResponse(this.#api, answer.failure, this.#id);
    const { status, headers, body } = answer;
    return new Response(body, { status, headers: headersOf(headers) });
  }
}

type Streamed = Extract<CallerAnswer, { kind: "streamed" }>;

function headersOf(pairs: HeaderPairs): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}
