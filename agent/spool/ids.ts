/**
 * The request ids that a spool remembers, so that none is served twice. Pure.
 *
 * Every open and every unconfirmed id, and the newest others up to a limit.
 */

/** A re-sent OPEN comes within the grace period; this many requests do not fit into it. */
export const IDS_MAX = 10_000;

/** Ids looked at per new one: more than one, so that the surplus shrinks; bounded, since all may be open. */
const FORGET_STEPS = 8;

const OPEN = Number.POSITIVE_INFINITY;
const SETTLED = -1;

export class SpoolIds {
  /** In the order they came: the position that must be confirmed before the id may be forgotten. */
  #positions = new Map<string, number>();

  has(id: string): boolean {
    return this.#positions.has(id);
  }

  isOpen(id: string): boolean {
    return this.#positions.get(id) === OPEN;
  }

  begin(id: string, confirmed: number): void {
    this.#positions.set(id, OPEN);
    this.#forget(confirmed);
  }

  finish(id: string, position: number): void {
    this.#positions.set(id, position);
  }

  /** The id is over and needs no confirmation any more. */
  settle(id: string): void {
    this.#positions.set(id, SETTLED);
  }

  /** Ids that are over and confirmed, oldest first: what may be written down as such. */
  over(confirmed: number): string[] {
    return [...this.#positions].filter(([, position]) => position <= confirmed).map(([id]) => id);
  }

  /** Puts remembered ids before all others, where they belong: they are older. What is known of them stays. */
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
      // A long request must not keep all later ids in memory: it moves to the end of the line.
      if (position === OPEN) this.#positions.set(id, OPEN);
    }
  }
}
