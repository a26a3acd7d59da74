/**
 * The request ids that a spool remembers, so that it serves no request twice. Pure.
 *
 * Remembers every open and every unconfirmed id, and the newest others up to a limit.
 */

/** A re-sent OPEN arrives within the grace period, and fewer requests than this fit into it. */
export const IDS_MAX = 10_000;

/**
 * Ids examined per new one. More than one, so that the surplus shrinks; bounded, because all of
 * them may be open.
 */
const FORGET_STEPS = 8;

const OPEN = Number.POSITIVE_INFINITY;
const SETTLED = -1;

export class SpoolIds {
  /** In order of arrival: the position that must be confirmed before the id may be forgotten. */
  #positions = new Map<string, number>();

  has(id: string): boolean {
    return this.#positions.has(id);
  }

  isOpen(id: string): boolean {
    return this.#positions.get(id) === OPEN;
  }

  /** Returns whether the record of an id is confirmed. A forgotten id was. */
  isConfirmed(id: string, confirmed: number): boolean {
    return (this.#positions.get(id) ?? SETTLED) <= confirmed;
  }

  begin(id: string, confirmed: number): void {
    this.#positions.set(id, OPEN);
    this.#forget(confirmed);
  }

  finish(id: string, position: number): void {
    this.#positions.set(id, position);
  }

  /** Marks an id as ended and no longer waiting for a confirmation. */
  settle(id: string): void {
    this.#positions.set(id, SETTLED);
  }

  /** Returns the ids that have ended and are confirmed, oldest first. */
  settledIds(confirmed: number): string[] {
    return [...this.#positions].filter(([, position]) => position <= confirmed).map(([id]) => id);
  }

  /**
   * Inserts remembered ids before all others, because they are older. An id that is already known
   * keeps its state.
   */
  prepend(ids: readonly string[]): void {
    this.#positions = new Map([...ids.map((id) => [id, SETTLED] as const), ...this.#positions]);
  }

  #forget(confirmed: number): void {
    let steps = FORGET_STEPS;
    for (const [id, position] of this.#positions) {
      if (
        steps-- === 0 ||
        this.#positions.size <= IDS_MAX ||
        (position > confirmed && position !== OPEN)
      )
        return;
      this.#positions.delete(id);
      // A long request must not keep every later id in memory, so it moves to the end.
      if (position === OPEN) this.#positions.set(id, OPEN);
    }
  }
}
