/** Everything on which concerns depend, as it is now. Reads only the cells of the last minutes. */
import type { Observed } from "../answers/concerns.ts";
import { queueDepthOf, recentOf } from "../answers/stats.ts";
import { statusOf } from "../registered-box.ts";
import type { AggregatorStores } from "./stores.ts";
import { RECENT_MINUTES, recentFrom, Views } from "./views.ts";

export function observedNow(stores: AggregatorStores, isRecording: boolean): Observed {
  const nowMs = Date.now();
  const views = new Views(stores);
  const cells = stores.cells.rollups(recentFrom(nowMs), Math.floor(nowMs / 1_000) + 1);
  const live = stores.registry.boxes().map((box) => statusOf(box, nowMs));
  return {
    boxes: views.boxes().boxes,
    recent: recentOf(RECENT_MINUTES, [...cells]),
    queueDepth: queueDepthOf(live),
    isRecording,
    ...views.observed(),
    nowMs,
  };
}
