/** Why the requests of the period were slow, in a sentence of the edge, with a link to them. */
import { DAY_MS } from "../../../protocol/day.ts";
import { minuteMs } from "../../data/clock.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo, scope } from "../../data/scope.ts";
import { ownZone } from "../../data/zone.ts";
import { activityQuery } from "../../shape/activity.ts";
import { secondsOfRange } from "../../shape/history.ts";
import { READ_EVERY_MS } from "../../shape/read-pace.ts";
import { brushed, isLive, periodOf } from "../../shape/scope.ts";

/** Older requests are no longer in its logs. */
const EXPLAINED_MS = 7 * DAY_MS;

export function Why() {
  const usual = secondsOfRange(preferences.value.range);
  const { fromMs, untilMs } = periodOf(scope.value, minuteMs.value, usual);
  const isFollowing = isLive(scope.value);
  const { data } = useQuery(
    "/api/stats/explanation",
    { query: { ...activityQuery(scope.value, usual), time_zone: ownZone() } },
    isFollowing ? READ_EVERY_MS.explanation : null,
    untilMs - fromMs <= EXPLAINED_MS,
  );
  // A time that nobody selected, and that is as usual, needs no words.
  if (data === null || (isFollowing && data.latency !== "rose" && data.causes.length === 0))
    return null;
  const { text, changed_from, changed_to, to } = data;
  return (
    <p class={data.causes.length > 0 ? "why why-found" : "why"}>
      {text}{" "}
      {changed_from !== null && (
        <a
          href={linkTo("requests", brushed(Date.parse(changed_from), Date.parse(changed_to ?? to)))}
        >
          Open these requests
        </a>
      )}
    </p>
  );
}
