/** P10: the number of streams that are open at the same moment without a single error. */
import { type Figure, quantile, round } from "./figures.ts";
import type { Stage } from "./stage.ts";

const STEPS = [1_000, 2_500, 5_000];
/** New streams a second while the number rises. */
const RAMP_PER_SECOND = 500;
const TOKENS = 10;
/** All streams stay open for at least this long. */
const HOLD_MS = 6_000;

export async function measureOpenStreams(stage: Stage): Promise<Figure[]> {
  let reached = 0;
  const detail: Figure["detail"] = {};
  for (const callers of STEPS) {
    const chain = await stage.startChain(`open-${callers}`);
    try {
      const rampMs = (callers / RAMP_PER_SECOND) * 1_000;
      const tokenMs = (rampMs + HOLD_MS) / (TOKENS - 1);
      const { peakOpen, firstMs } = await stage.run(chain, {
        tokens: TOKENS,
        tokenMs,
        stream: true,
        callers,
        until: { calls: 1 },
        rampMs,
      });
      await chain.check();
      if (peakOpen < callers) throw new Error(`only ${peakOpen} were open at the same moment`);
      reached = callers;
      detail[`first_byte_p99_ms_${callers}`] = round(quantile(firstMs, 0.99));
    } catch (error) {
      detail[`failed_${callers}`] = error instanceof Error ? error.message : String(error);
      break;
    } finally {
      await chain.stop();
    }
  }
  return [
    {
      id: "P10",
      name: "streams open at once without an error",
      value: reached,
      unit: "streams",
      spread: null,
      goal_now: { atLeast: 1_000 },
      goal: { atLeast: 5_000 },
      detail,
    },
  ];
}
