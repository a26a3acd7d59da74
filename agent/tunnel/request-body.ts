/**
 * The caller's request as it arrives at the box: OPEN, DATA and END become a body for Ollama, whole
 * or part by part. Pure.
 */
import { type Frame, FrameError, FrameType } from "../../protocol/frames.ts";
import { BODY_BYTES_MAX } from "../../protocol/limits.ts";
import type { StreamEnd } from "../../protocol/stream-end.ts";
import { GrowingBytes } from "../measure/growing-bytes.ts";

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
  readonly #announced: number | null;
  readonly #whole: GrowingBytes;
  #hasEnded = false;
  /**
   * Parts that Ollama has not taken yet, oldest first: the number after each one's frame, and its
   * bytes.
   */
  #writing: { next: number; bytes: number }[] = [];

  /**
   * @param isStreamed  the body goes to Ollama as it arrives (blobs), instead of whole (JSON)
   * @param announced   the length of a whole body; null if it is unknown
   */
  constructor(end: StreamEnd, isStreamed: boolean, announced: number | null) {
    this.#end = end;
    this.#isStreamed = isStreamed;
    this.#announced = announced;
    this.#whole = new GrowingBytes(announced ?? undefined);
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
    if (this.#isStreamed) {
      this.#writing.push({ next, bytes });
      // The payload is a view of a message with many frames, and so is a slice of a Buffer.
      acts.write = new Uint8Array(payload);
      return [];
    }
    const bytesMax = this.#announced ?? BODY_BYTES_MAX;
    if (this.#whole.length + bytes > bytesMax)
      throw new FrameError(`the body is longer than ${bytesMax} bytes`);
    this.#whole.append(payload);
    return this.#end.consume(next, bytes);
  }

  #endBody(acts: RequestActions): void {
    if (this.#hasEnded) throw new FrameError("the body ends twice");
    this.#hasEnded = true;
    if (this.#isStreamed) {
      acts.endsBody = true;
      return;
    }
    const body = this.#whole.take();
    if (this.#announced !== null && body.length !== this.#announced)
      throw new FrameError(`a body of ${body.length} bytes, not of ${this.#announced}`);
    acts.localRequest = { body };
  }
}
