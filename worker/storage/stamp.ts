/**
 * Stamps: the rows of the ledger carry the stamp of the batch in which they came, which rises.
 *
 * So a start finds the rows that came after a batch without an index, whose entries would be billed. It
 * searches the newest requests only, since the key of a row is the time of its request.
 */
import { idFloor } from "../../protocol/uuid-time.ts";

/** A stamp is the arrival of its batch in this part of a millisecond. */
export const STAMPS_PER_MS = 1_000;

/** Requests that began this long before a stamp are looked for after it. */
const LATE_MS = 15 * 60_000;

/** Returns the smallest id that is found among the rows after a stamp. */
export const lateIdOf = (stamp: number): string => idFloor(stamp / STAMPS_PER_MS - LATE_MS);
