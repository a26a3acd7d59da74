/** The payload of KEY: the end of the caller's key, or of this one call. */
import * as z from "zod";

/** When a key ends, and its state from then on. */
export const KeyEnd = z.discriminatedUnion("state", [
  z.object({
    /** Unix ms, by the edge's clock; null if it does not end. */
    ends_at_ms: z.number().nullable(),
    state: z.enum(["expired", "revoked"]),
  }),
  /** The overlap of its rotation is over; `replaced_by`: the id of the newer key. */
  z.object({ ends_at_ms: z.number(), state: z.literal("replaced"), replaced_by: z.string() }),
]);
export type KeyEnd = z.infer<typeof KeyEnd>;

/** Payload of KEY: the end of the key, or the name of who stops this one call now. */
export const CallEnd = z.union([KeyEnd, z.object({ stopped_by: z.string().max(200) })]);
export type CallEnd = z.infer<typeof CallEnd>;
