/**
 * The boxes that had a request before the one that served it, as its record lists them. Pure, and without
 * zod: the page reads them too.
 */

/** One box that had a request and did not answer it. */
export type Move = { box: string; reason: string; ms: number };

/** Returns the moves of a request as `moved_from`; null without any. */
export const movedFromOf = (moves: readonly Move[]): string | null =>
  moves.length === 0
    ? null
    : moves.map(({ box, reason, ms }) => `${box}:${reason}:${Math.round(ms)}ms`).join(",");

/** Parses `moved_from`. Parts of another form are left out. */
export const movesIn = (movedFrom: string | null): Move[] =>
  (movedFrom ?? "").split(",").flatMap((part) => {
    const [, box, reason, ms] = /^([^:]+):([a-z0-9_]+):(\d+)ms$/.exec(part) ?? [];
    return box === undefined || reason === undefined ? [] : [{ box, reason, ms: Number(ms) }];
  });
