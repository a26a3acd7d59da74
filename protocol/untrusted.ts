/** Why the edge does not trust a record of an agent, or a part of it. */
import { z } from "zod";

/**
 * All but `values` refuse the record. With `values` it counts, without the figures that cannot be
 * true.
 */
export const Untrusted = z.enum(["seal", "no_seal", "time", "endpoint", "malformed", "values"]);
export type Untrusted = z.infer<typeof Untrusted>;

/** Completes "most recently 5 min ago …". */
export const UNTRUSTED_TEXT: Record<Untrusted, string> = {
  seal: "with a seal that does not match",
  no_seal: "without a seal",
  time: "with an impossible time",
  endpoint: "with an unknown endpoint",
  malformed: "in an unknown form",
  values: "with impossible figures",
};
