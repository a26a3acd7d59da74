/** A record as the ledger keeps it: with the time of its end, its batch, and how it was counted. Pure. */
import * as z from "zod";
import { RequestRecord } from "../../protocol/records.ts";
import type { CountedAs } from "./counters.ts";
import type { StoredRow } from "./ledger-page.ts";

/** The batch of a record, and how it was counted. See `counters.ts`. */
export type Counting = { stamp: number; countedAs: CountedAs };
export type Kept = { record: RequestRecord; finishedMs: number } & Counting;

export const KeptRow = RequestRecord.extend({
  finished_at_ms: z.number(),
  stamp: z.number(),
  counted_as: z.literal([0, 1, 2]),
}).transform(
  ({ finished_at_ms: finishedMs, stamp, counted_as: countedAs, ...record }): Kept => ({
    ...{ record, finishedMs, stamp, countedAs },
  }),
);
export const rowOf = ({ record, finishedMs, stamp, countedAs }: Kept): StoredRow => ({
  ...record,
  finished_at_ms: finishedMs,
  stamp,
  counted_as: countedAs,
});

/** Returns whether the edge knows more of a request: its agent was killed, or lost its tunnel. */
export const isCompletable = ({ status, failed_at }: RequestRecord): boolean =>
  status === "error" && failed_at === "tunnel";

/** Returns whether no box took the call. */
export const isRefused = ({ box, status }: RequestRecord): boolean =>
  box === null && status === "error";
