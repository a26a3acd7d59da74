/**
 * The caller's request as it arrives at the box: OPEN, DATA and END become a body for Ollama, whole
 * or part by part. Pure.
 */
import { type Frame, FrameError, FrameType } from "../../protocol/frames.ts";
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import type { StreamEnd } from "../../protocol/stream-end.ts";

export type RequestActions = {
  /** Send the local request to Ollama. `body` null: it follows in writes. */
  localRequest: { body: Uint8Array | null } | null;
  /** A part of the body for Ollama; `bodyTaken` follows once Ollama took it. */
  write: Uint8Array | null;
  endsBody: boolean;
};

export class RequestBody {
  readonly #end: StreamEnd;
  readonly #isStreamed: boolean;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #hasEnded = false;
  /**
   * Parts that Ollama has not taken yet, oldest first: the number after each one's frame, and its
   * bytes.
   */
  #writing: { next: number; bytes: number }[] = [];

  /** @param isStreamed  the body goes to Ollama as it arrives (blobs), instead of whole (JSON) */
  constructor(end: StreamEnd, isStreamed: boolean) {
    this.#end = end;
    this.#isStreamed = isStreamed;
  }

  /**
   * Takes the next numbered frame.
   * @returns the acknowledgement, if one is due
   * @throws {FrameError} if the frame cannot come now
   */
  take(frame: Frame, acts: RequestActions): Frame[] {
    if ((frame.type === FrameType.open) !== (frame.seq === 0))
      throw new FrameError("a request begins with exactly one OPEN");
    if (frame.type === FrameType.data) return this.#add(frame, acts);
    if (frame.type === FrameType.end) this.#endBody(acts);
    else if (this.#isStreamed) acts.localRequest = { body: null };
    return [];
  }

  /** Ollama took the oldest part that it was given. @returns the acknowledgement, if one is due */
  taken(): Frame[] {
    const part = this.#writing.shift();
    return part === undefined ? [] : this.#end.consume(part.next, part.bytes);
  }

  #add({ seq, payload }: Frame, acts: RequestActions): Frame[] {
    if (this.#hasEnded) throw new FrameError("the body goes on after its END");
    const [next, bytes] = [seq + 1, payload.length];
    // The payload is a view of a message with many frames, and so is a slice of a Buffer. Either would
    // keep the whole message in memory.
    const part = new Uint8Array(payload);
    if (this.#isStreamed) {
      this.#writing.push({ next, bytes });
      acts.write = part;
      return [];
    }
    this.#bytes += bytes;
    if (this.#bytes > BODY_BYTES_MAX)
      throw new FrameError(`the body is longer than ${BODY_BYTES_MAX} bytes`);
    this.#chunks.push(part);
    return this.#end.consume(next, bytes);
  }

  #endBody(acts: RequestActions): void {
    if (this.#hasEnded) throw new FrameError("the body ends twice");
    this.#hasEnded = true;
    if (this.#isStreamed) acts.endsBody = true;
    else acts.localRequest = { body: Buffer.concat(this.#chunks.splice(0)) };
  }
}
