/** The fields of records that the counters read in the ledger. */
import * as z from "zod";
import { RequestRecord } from "../../protocol/records.ts";

/** The fields of a record that are summed, those by which it counts, and when it finished. */
export const Finished = RequestRecord.pick({
  endpoint: true,
  source: true,
  status: true,
  latency_ms: true,
  resumed: true,
  ttft_ms: true,
  queue_ms: true,
  load_ms: true,
  prefill_ms: true,
  decode_ms: true,
  prompt_tokens: true,
  completion_tokens: true,
  energy_j: true,
  cost: true,
  co2_g: true,
  model: true,
  box: true,
  key_id: true,
}).extend({ finished_at_ms: z.number() });
export type Finished = z.infer<typeof Finished>;

/** A record that was counted. */
export const Uncounted = Finished.extend({ stamp: z.number(), counted_as: z.literal([1, 2]) });
export type Uncounted = z.infer<typeof Uncounted>;
