/** What can go wrong between a sink and its store, as tests ask for it. */
import { z } from "zod";

export const Fault = z.strictObject({
  /** Part of the statement; any statement when left out. */
  match: z.string().optional(),
  times: z.int().positive().default(1),
  /** Waits before anything else. */
  delayMs: z.number().nonnegative().default(0),
  /** Cuts the connection: before the engine saw the statement, or after it was carried out. */
  drop: z.enum(["before", "after"]).optional(),
  /** Answers this in place of what the engine says, as a proxy in front of the store would; without asking it unless `drop` is `after`. */
  status: z.int().optional(),
  /** Answers this error of the store instead of asking the engine. */
  code: z.string().optional(),
});
export type Fault = z.infer<typeof Fault>;
