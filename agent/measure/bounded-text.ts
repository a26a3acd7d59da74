/**
 * The answer's text as far as a record keeps it: no more is held, however long the answer.
 */
export class BoundedText {
  readonly #charsMax: number;
  #kept = "";
  #chars = 0;

  /** @param charsMax UTF-16 code units */
  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  add(piece: string): void {
    this.#chars += piece.length;
    const room = this.#charsMax - this.#kept.length;
    if (room > 0) this.#kept += piece.length <= room ? piece : piece.slice(0, room);
  }

  /** What `cut` of protocol/records.ts makes of the whole text, which is not here any more; null when there was none. */
  get text(): string | null {
    if (this.#chars === 0) return null;
    const cutChars = this.#chars - this.#kept.length;
    return cutChars === 0
      ? this.#kept
      : `${this.#kept.toWellFormed()}… [${cutChars} more characters cut]`;
  }
}
