/**
 * Keeps records of earlier files out of the Aggregator. The edge records the calls that a file left open,
 * and tries so for seconds: in the next file, whose ledger and costs would be those of both.
 */
import type { RequestRecord } from "../../protocol/records.ts";
import { timeOf } from "../../protocol/uuid-time.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";

/** In the ids that tests make up, see `idOf`. Their times are any. */
const MADE_UP = "-7000-8000-";

let sinceMs = 0;

const isTaken = ({ request_id: id }: RequestRecord): boolean =>
  id.includes(MADE_UP) || timeOf(id) >= sinceMs;

const { ingest, complete } = Aggregator.prototype;
Aggregator.prototype.ingest = function (records, ...more) {
  return ingest.call(this, records.filter(isTaken), ...more);
};
Aggregator.prototype.complete = async function (record) {
  if (isTaken(record)) await complete.call(this, record);
};

/** Takes records of calls that began then or later, unix ms. */
export function takeRecordsSince(ms: number): void {
  sinceMs = ms;
}
