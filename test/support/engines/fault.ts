/** A fault between a delivery and its store, as a test defines it. */
import * as z from "zod";

export const Fault = z.strictObject({
  /** Part of the statement; any statement if left out. */
  match: z.string().optional(),
  times: z.int().positive().default(1),
  /** Waits before doing anything. */
  delayMs: z.number().nonnegative().default(0),
  /**
   * Cuts the connection before the engine gets the statement, or after the engine carried it out.
   */
  drop: z.enum(["before", "after"]).optional(),
  /**
   * Answers this status in place of the engine's answer, as a proxy before the store would. The
   * engine gets the statement only if `drop` is `after`.
   */
  status: z.int().optional(),
  /** Answers this error code of the store. The engine does not get the statement. */
  code: z.string().optional(),
});
export type Fault = z.infer<typeof Fault>;
