/** The cost of the records of requests, on an Aggregator of their own. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { CONCERN_LASTS_S } from "../../protocol/concern-timing.ts";
import { CONCERNS } from "../../protocol/concerns.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { scaled, type Units } from "../support/cost/bill.ts";
import { TOKEN_MS, TOKENS } from "../support/cost/stream-messages.ts";
import { recordOf } from "../support/records.ts";
import type { Alarmed, Meter } from "./meter.ts";

/** The duration of a request. */
export const STREAM_MS = TOKENS * TOKEN_MS;
/** In the records. Slower answers are a concern, and its beginning costs rows. */
export const LATENCY_MS = CONCERNS.latency_high.severity.above.warning - 1_000;

/** An hour: counters are stored every hour, and the cursor of a delivery every half hour. */
const HOUR_ROUNDS = 365;

/** Settings of the edge, and fields of the records. */
export type Special = { settings?: Record<string, string>; record?: Partial<RequestRecord> };

/** Returns the cost of the record of a request, of `callers` at once. */
export function recordCost(
  meter: Meter,
  callers: number,
  { settings, record }: Special = {},
): Promise<Units> {
  const stub = env.AGGREGATOR.getByName(`cost-${crypto.randomUUID()}`);
  return runInDurableObject(stub, async (_, state) => {
    const object = new Aggregator(state, { ...env, ...settings });
    const alarmed = { storage: state.storage, alarm: () => object.alarm() };
    const one = async () => {
      await meter.pass(STREAM_MS, alarmed);
      const records = Array.from({ length: callers }, (_, n) => {
        return recordOf(meter.nowMs - STREAM_MS, { latency_ms: LATENCY_MS, ...record }, n);
      });
      await object.ingest(records, true);
      await meter.untilOver();
    };
    await settle(meter, alarmed, one);
    await one();
    // Stores the counters, so that those of an hour are stored within the hour that is counted.
    object.dataSummary();
    const units = await meter.of(async () => {
      for (let each = 0; each < HOUR_ROUNDS; each++) await one();
      object.dataSummary();
    });
    return scaled(units, 1 / (HOUR_ROUNDS * callers));
  });
}

/**
 * Goes to the next full hour after an edge without a box has become a concern: its beginning costs rows
 * and an alarm.
 */
export async function settle(
  meter: Meter,
  alarmed: Alarmed,
  one: () => Promise<unknown>,
): Promise<void> {
  await one();
  await meter.pass(2 * CONCERN_LASTS_S.no_box * 1_000, alarmed);
  await one();
  await meter.passToHour(alarmed);
}
