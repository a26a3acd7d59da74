/** The beginning of a text, as much as a record keeps, however long it is. */
export class BoundedText {
  readonly #charsMax: number;
  #kept = "";
  #chars = 0;

  /** @param charsMax  in UTF-16 code units */
  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  add(piece: string): void {
    this.#chars += piece.length;
    const { room } = this;
    if (room > 0) this.#kept += piece.length <= room ? piece : piece.slice(0, room);
  }

  /** Counts text that follows and need not be kept. */
  skip(chars: number): void {
    this.#chars += chars;
  }

  /** Characters that {@link add} would still keep. */
  get room(): number {
    return this.#charsMax - this.#kept.length;
  }

  /** Equals `cut` of protocol/records.ts applied to the whole text; null if there was no text. */
  get text(): string | null {
    return this.#chars === 0 ? null : this.within(this.#charsMax);
  }

  /** Returns the text cut to fewer characters, with the mark that states how much is missing. */
  within(charsMax: number): string {
    const kept = this.#kept.slice(0, charsMax);
    const cutChars = this.#chars - kept.length;
    return cutChars === 0 ? kept : `${kept.toWellFormed()}… [${cutChars} more characters cut]`;
  }
}
