/** The keep-alive of a model that its calls suggest. Pure. */
import type { Concern } from "../../protocol/concern.ts";
import { count, duration } from "./format.ts";

/** @param concerns  concerns about the model, on any box */
export function keepAliveAdvice(concerns: readonly Concern[]): string {
  const advice = concerns.flatMap((concern) => {
    if (concern.code !== "cold_starts") return [];
    const { keep_alive_s, saved_loads, saved_ms, loads } = concern.params;
    // A concern of an earlier version replayed its own loads.
    const { replay_hours: hours, replay_loads } = concern.params;
    const replayed = replay_loads ?? loads;
    const where = `on ${concern.subject.box}`;
    return keep_alive_s === null
      ? [
          `No keep-alive would have saved many of the ${count(replayed)} loads ${where} in ${hours} h`,
        ]
      : [
          `${duration(1_000 * keep_alive_s)} would have saved ${count(saved_loads)} of ${count(replayed)} loads ${where} in ${hours} h, ${duration(saved_ms)} of waiting`,
        ];
  });
  return advice.length === 0 ? "Cold starts give no reason to change it" : advice.join("; ");
}
