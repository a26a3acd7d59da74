/** The failures of a period, if there are more of them than before. Pure. */
import type { PeriodCause } from "../../../protocol/api/explanation.ts";
import { mostFrequent } from "../damage/calls.ts";
import { PLAIN } from "../wording.ts";
import type { Calls } from "./explained.ts";

/** Fewer are single ones. */
const FAILED_MIN = 3;
const RATE_MIN = 0.01;
/** A rate that rose by less is chance. */
const MORE = 2;

const PLACES = { gateway: "at the edge", tunnel: "in the tunnel", ollama: "in Ollama" } as const;

export function failuresCause(now: Calls, before: Calls): PeriodCause | null {
  const [rate, usual] = [rateOf(now), rateOf(before)];
  const { failed } = now;
  if (failed.length < FAILED_MIN || rate < RATE_MIN || rate < MORE * usual) return null;
  const place = mostFrequent(failed.map(({ failedAt }) => failedAt)) as keyof typeof PLACES;
  const there = failed.filter(({ failedAt }) => failedAt === place);
  const box = mostFrequent(there.map((call) => call.box));
  const model = mostFrequent(there.map((call) => call.model));
  const on = box === null ? "" : ` of ${box}`;
  const all = now.failed.length + now.answered.length;
  return {
    kind: "failures",
    box,
    models: model === null ? [] : [model],
    key: mostFrequent(there.map(({ key_id }) => key_id)),
    share: null,
    lost_ms: null,
    count: failed.length,
    before: usual,
    during: rate,
    text: `${failed.length} of ${all} requests failed (${PLAIN.percent(usual)} before), most ${PLACES[place]}${on}`,
  };
}

function rateOf({ answered, failed }: Calls): number {
  const all = answered.length + failed.length;
  return all === 0 ? 0 : failed.length / all;
}
