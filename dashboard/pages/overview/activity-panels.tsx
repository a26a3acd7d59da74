/** The requests of the scope: their figures, over time with the events of the boxes, and by latency. */
import type { Activity } from "../../../protocol/api/activity.ts";
import { type QueryState, useQuery } from "../../data/query.ts";
import { scope } from "../../data/scope.ts";
import { FailureNote, Skeleton } from "../../parts/basics.tsx";
import { duration } from "../../shape/format.ts";
import { READ_EVERY_MS } from "../../shape/read-pace.ts";
import { ActivityTable } from "./activity-table.tsx";
import { Figures } from "./figures.tsx";
import { Heat } from "./heat.tsx";
import { Traffic } from "./traffic.tsx";
import { Why } from "./why.tsx";

/** The kinds that explain a chart. Loads are left out: there are many. */
const PINNED =
  "tunnel_cut,tunnel_back,agent_restarted,agent_updated,ollama_lost,ollama_back,ollama_updated,model_pulled,concern_opened";
const PINS_MAX = 40;

type Props = { now: QueryState<Activity>; before: Activity | null };

export function ActivityPanels({ now, before }: Props) {
  const { data: activity, error, isLoading, refetch } = now;
  const { box, compare } = scope.value;
  const query = {
    kind: PINNED,
    limit: PINS_MAX,
    box: box ?? undefined,
    until: activity === null ? undefined : activity.to,
  };
  const events = useQuery("/api/events", { query }, READ_EVERY_MS.events, activity !== null);
  return (
    <>
      {error !== null && (
        <FailureNote title="Could not load the requests." detail={error} retry={refetch} />
      )}
      {activity === null ? (
        error === null && <Skeleton lines={3} tall />
      ) : (
        <div class={isLoading ? "activity loading" : "activity"}>
          <Figures activity={activity} before={before} />
          <div class="panels">
            <Traffic
              activity={activity}
              before={compare === null ? null : before}
              events={events.data?.events ?? []}
            />
            <Heat activity={activity} />
          </div>
          <Why />
          <p class="footnote">
            Each bar covers {duration(1_000 * activity.step_seconds)}. Drag over a chart to select a
            time; click it for the requests.
          </p>
          <ActivityTable activity={activity} />
        </div>
      )}
    </>
  );
}
