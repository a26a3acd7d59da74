/** The view of an activity: the requests of any period, see `/api/stats/activity`. */
import type { ActivityQuery, ActivitySplit } from "../../protocol/api/activity.ts";
import { type Counted, GatheredActivity } from "../answers/activity.ts";
import type { Span } from "../answers/history.ts";
import { NO_MODEL } from "../counting/model-key.ts";
import { keyNameOf } from "../keys/names.ts";
import { HOUR_SECONDS } from "./cells.ts";
import { type CountedCell, CountedCells } from "./counted-cells.ts";
import type { AggregatorStores } from "./stores.ts";

export type ActivityWish = Pick<ActivityQuery, "model" | "box" | "key" | "split">;

export async function activityOf(
  stores: AggregatorStores,
  span: Span,
  { split = [], ...filter }: ActivityWish,
  pause = () => scheduler.wait(0),
): Promise<Counted> {
  const { createdAtMs, keyHours, epochs, tariffs, issuedKeys } = stores;
  const isOfKey = filter.key !== undefined;
  const plan = {
    span,
    nowMs: Date.now(),
    sinceMs: Math.max(isOfKey ? keyHours.sinceMs : createdAtMs, epochs.clearedMs("metrics") ?? 0),
    currency: tariffs.currency(),
  };
  const gathered = new GatheredActivity(plan, split);
  const counted = new CountedCells(stores, pause);
  // The hours of keys lack the requests without one.
  const areApart = split.includes("key") && !isOfKey && span.granularity >= HOUR_SECONDS;
  const isByKey = isOfKey || (split.includes("key") && !areApart);
  const own = split.filter((each) => each !== "key" || !areApart);
  const slices = isByKey ? counted.byKey(span, filter) : counted.all(span, filter);
  for await (const cells of slices)
    for (const each of cells) {
      gathered.add(each.at, each.cell);
      for (const name of own) gathered.addTo(name, GROUPS[name](each), each.at, each.cell);
    }
  if (areApart)
    for await (const cells of counted.byKey(span, filter))
      for (const { key, at, cell } of cells) gathered.addTo("key", key, at, cell);
  return gathered.counted((key) => keyNameOf(key, (id) => issuedKeys.get(id)));
}

const GROUPS: Record<ActivitySplit, (cell: CountedCell) => string | null> = {
  model: ({ model }) => (model === NO_MODEL ? null : model),
  box: ({ box }) => (box === "" ? null : box),
  key: ({ key }) => key,
};
