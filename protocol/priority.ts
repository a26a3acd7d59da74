/** The priority of requests in the queue of a box. */
import * as z from "zod";

export const Priority = z.enum(["high", "normal", "low"]);
export type Priority = z.infer<typeof Priority>;
