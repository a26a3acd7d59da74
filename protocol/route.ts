/** The route of a request to its box, as its record keeps it. */
import * as z from "zod";

/**
 * Why a request was on its box. `named`: the caller named the box. `only-holder`: no other box has
 * the model. `warm`: the model was in memory there; `on-disk`: only on disk. `sticky`: its
 * conversation was there before. `spill`: the better boxes were busy for longer than a load takes.
 * `failover`: another box had failed before its answer began. `operation`: calls of one client that
 * create, push or copy a model stay together. `fits`: a pull, on a box with room for the model.
 * `planned`: a load or an unload that somebody requested from the edge, and no caller's request.
 * `any`: it needs no model, or one that no box has.
 *
 * A seal has room for 13 characters.
 */
export const RouteReason = z.enum([
  "named",
  "only-holder",
  "warm",
  "on-disk",
  "sticky",
  "spill",
  "failover",
  "operation",
  "fits",
  "planned",
  "any",
]);
export type RouteReason = z.infer<typeof RouteReason>;

/** Room for a few boxes with names of full length. */
const MOVED_FROM_CHARS_MAX = 1_024;

/** The fields of a record that only the edge can know. */
export const ROUTE_FIELDS = {
  /** Null for a request that no edge sent to a box, and from older versions. */
  route_reason: RouteReason.nullable().default(null),
  /** Boxes that had the request, one after the other. Null like `route_reason`. */
  attempts: z.int().nonnegative().nullable().default(null),
  /**
   * The boxes that had the request before `box`, in their order, each with the reason for which it
   * moved on and the time there: `atlas:ollama_unreachable:12ms,basil:no_answer:4000ms`. Null if no
   * other box had it.
   */
  moved_from: z.string().max(MOVED_FROM_CHARS_MAX).nullable().default(null),
};

/** The fields of a request that the edge has not sent to a box, as far as is known. */
export const UNROUTED = { route_reason: null, attempts: null, moved_from: null } as const;
