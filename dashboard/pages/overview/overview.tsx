/** The start page: what is wrong, the boxes, and the requests of a period, from which everything is a click. */
import { live } from "../../data/live.ts";
import { place } from "../../data/place.ts";
import { useQuery } from "../../data/query.ts";
import { scope } from "../../data/scope.ts";
import { FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { NoBox } from "../../parts/install.tsx";
import { duration } from "../../shape/format.ts";
import { AsTable } from "./as-table.tsx";
import { Attention } from "./attention.tsx";
import { Figures } from "./figures.tsx";
import { FleetSection } from "./fleet.tsx";
import { Heat } from "./heat.tsx";
import { useActivity } from "./period.tsx";
import { Totals } from "./totals.tsx";
import { Traffic } from "./traffic.tsx";
import { Why } from "./why.tsx";
import { WorthALook } from "./worth-a-look.tsx";

/** The kinds that explain a chart. Loads are left out: there are many. */
const PINNED =
  "tunnel_cut,tunnel_back,agent_restarted,agent_updated,ollama_lost,ollama_back,ollama_updated,model_pulled,concern_opened";
const PINS_MAX = 40;
const EVENTS_EVERY_MS = 15_000;

export function Overview() {
  const latest = live.value;
  const { now, before } = useActivity();
  const activity = now.data;
  const events = useQuery(
    "/api/events",
    {
      query: {
        kind: PINNED,
        limit: PINS_MAX,
        box: place.value.query.box,
        until: activity === null ? undefined : activity.to,
      },
    },
    EVENTS_EVERY_MS,
    activity !== null,
  );
  if (latest === null) return <Loading />;
  const { boxes, health, stats } = latest.value;
  return (
    <>
      {boxes.length === 0 && <NoBox />}
      <Attention live={latest.value} />
      {boxes.length > 0 && (
        <section aria-label="Boxes">
          <FleetSection boxes={boxes} concerns={health.concerns} activity={activity} />
        </section>
      )}
      {now.error !== null && (
        <FailureNote title="Could not load the requests." detail={now.error} retry={now.refetch} />
      )}
      {activity === null ? (
        now.error === null && <Skeleton lines={3} tall />
      ) : (
        <div class={now.isLoading ? "activity loading" : "activity"}>
          <Figures activity={activity} before={before} />
          <div class="panels">
            <Traffic
              activity={activity}
              before={scope.value.compare === null ? null : before}
              events={events.data?.events ?? []}
            />
            <Heat activity={activity} />
          </div>
          <Why />
          <p class="footnote">
            Each bar covers {duration(1_000 * activity.step_seconds)}. Drag over a chart to select a
            time; click it for the requests.
          </p>
          <AsTable activity={activity} />
        </div>
      )}
      <WorthALook />
      <Section title="Since counting began">
        <Totals stats={stats} />
      </Section>
    </>
  );
}

/** Placeholders for the boxes, the figures and the charts, in their order. */
const Loading = () => (
  <div class="skeleton" role="status" aria-label="Loading">
    {["boxes", "cards", "panels"].map((part) => (
      <span key={part} class={`skeleton-${part}`} />
    ))}
  </div>
);
