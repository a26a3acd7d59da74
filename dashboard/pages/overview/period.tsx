/** The activity of the scope, as several parts of the Overview read it, in one answer. */

import { useMemo } from "preact/hooks";
import type { Activity, ActivitySplit } from "../../../protocol/api/activity.ts";
import { DAY_MS } from "../../../protocol/day.ts";
import { minuteMs } from "../../data/clock.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { type QueryState, useQuery } from "../../data/query.ts";
import { changeScope, linkTo, scope } from "../../data/scope.ts";
import { activityQuery, queryBefore } from "../../shape/activity.ts";
import { everyMsOf, secondsOfRange } from "../../shape/history.ts";
import { READ_EVERY_MS } from "../../shape/read-pace.ts";
import { brushed, isLive, type PageScope } from "../../shape/scope.ts";

/** The parts into which requests over time are divided unless others are chosen. */
const usualSplit = (): ActivitySplit => (place.value.page === "model" ? "box" : "model");

export const chosenSplit = (): ActivitySplit =>
  (["model", "box", "key"] as const).find((each) => each === place.value.query.split) ??
  usualSplit();

export function chooseSplit(split: ActivitySplit): void {
  const { page, query } = place.peek();
  replaceQuery(page, { ...query, split: split === usualSplit() ? "" : split });
}

/** The rows of boxes need their part, whatever is chosen. */
const splits = (): string => [...new Set([chosenSplit(), "box"])].join(",");

/** The edge alone keeps history for 90 days. */
const KEPT_MS = 90 * DAY_MS;

export function useActivity(): { now: QueryState<Activity>; before: Activity | null } {
  const usual = secondsOfRange(preferences.value.range);
  const isFollowing = isLive(scope.value);
  const now = useQuery(
    "/api/stats/activity",
    { query: { ...activityQuery(scope.value, usual), split: splits() } },
    isFollowing ? everyMsOf(preferences.value.range) : null,
  );
  const past = useMemo(
    () => queryBefore(scope.value, usual, minuteMs.value),
    [scope.value, usual, minuteMs.value],
  );
  const isKept = Date.now() - Date.parse(String(past.since)) <= KEPT_MS;
  const before = useQuery("/api/stats/activity", { query: past }, READ_EVERY_MS.before, isKept);
  return { now, before: isKept ? before.data : null };
}

/** Returns the start of a bucket, unix ms. */
export const startOf = ({ points }: Activity, index: number): number =>
  Date.parse(points[index]?.timestamp ?? "");

/** Selects the buckets between two, which are included. */
export function selectBuckets(activity: Activity, from: number, to: number): void {
  const endMs = startOf(activity, to) + 1_000 * activity.step_seconds;
  changeScope(brushed(startOf(activity, from), Math.min(endMs, Date.now())));
}

/** The requests of one bucket. */
export function bucketLink(
  activity: Activity,
  index: number,
  changes: Partial<Pick<PageScope, ActivitySplit>> = {},
  query: Record<string, string> = {},
): string {
  const fromMs = startOf(activity, index);
  const time = brushed(fromMs, fromMs + 1_000 * activity.step_seconds);
  return linkTo("requests", { ...time, ...changes }, query);
}
