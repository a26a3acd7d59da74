/**
 * The body of a call on its way to a box. It stays in memory until it is sent, or for as long as the
 * call may move to another box, and no longer: see body-budget.ts.
 */
import type { Open } from "../../protocol/messages.ts";
import { BODIES, type Release } from "./body-budget.ts";
import type { CallBody } from "./serve.ts";

export class KeptBody {
  /** The facts that OPEN states about the body. */
  readonly facts: Pick<CallBody, "model" | "stream"> & Pick<Open, "body_bytes" | "end_user">;
  #bytes: CallBody["bytes"];
  readonly #releases: Release[] = [];
  readonly #isKept: boolean;

  /** @param mayMove  another box may get the call, if there is room to keep the body for that */
  constructor({ bytes, release, model, stream, endUser }: CallBody, mayMove: boolean) {
    this.#bytes = bytes;
    const facts = { model, stream, end_user: endUser ?? undefined };
    this.facts = bytes instanceof Uint8Array ? { ...facts, body_bytes: bytes.length } : facts;
    if (release !== undefined) this.#releases.push(release);
    const keep = mayMove && !(bytes instanceof ReadableStream);
    const unkeep = keep ? BODIES.keep(bytes?.length ?? 0) : null;
    if (unkeep !== null) this.#releases.push(unkeep);
    this.#isKept = unkeep !== null;
  }

  /** True if the bytes are kept after they were sent, so that they can be sent again. */
  get isKept(): boolean {
    return this.#isKept;
  }

  get bytes(): CallBody["bytes"] {
    return this.#bytes;
  }

  /** A box has the bytes. */
  sent(): void {
    if (!this.#isKept) this.drop();
  }

  /** The call moves no more. Its stream holds what it has not sent. */
  settle(): void {
    if (this.#isKept) this.drop();
  }

  /** Nobody needs the bytes any more. May be called more than once. */
  drop(): void {
    this.#bytes = null;
    for (const release of this.#releases.splice(0)) release();
  }
}
