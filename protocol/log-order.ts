/** The orders of a list of requests. Pure. */

/** `rate`: completion tokens per second of decoding. */
export const LOG_SORTS = ["time", "latency", "ttft", "tokens", "rate", "energy"] as const;
export type LogSort = (typeof LOG_SORTS)[number];
export type LogOrder = { sort?: LogSort | undefined; order?: "desc" | "asc" | undefined };

/** The edge sorts no more: it reads all that match, and everybody's records wait for it. */
export const SORTED_MAX = 1_000;

/** Returns whether a list is in another order than the newest first. */
export const isSorted = ({ sort = "time", order = "desc" }: LogOrder): boolean =>
  sort !== "time" || order !== "desc";
