/** Why the edge does not trust a record of an agent, or a part of it. */
import * as z from "zod";

/**
 * All but `values` refuse the record. With `values` it counts, without the figures that cannot be
 * true.
 */
export const Untrusted = z.enum(["seal", "no_seal", "time", "endpoint", "malformed", "values"]);
export type Untrusted = z.infer<typeof Untrusted>;
