/** The start page: concerns, totals, charts and boxes. */
import { live } from "../../data/live.ts";
import { Section } from "../../parts/basics.tsx";
import { NoBox } from "../../parts/install.tsx";
import { Attention } from "./attention.tsx";
import { Charts } from "./charts.tsx";
import { FleetSection } from "./fleet.tsx";
import { Totals } from "./totals.tsx";

export function Overview() {
  const latest = live.value;
  if (latest === null) return <Loading />;
  const { boxes, health, stats } = latest.value;
  return (
    <>
      {boxes.length === 0 && <NoBox />}
      <Attention live={latest.value} />
      <Totals stats={stats} />
      <Charts hasStore={health.sinks.length > 0} />
      {boxes.length > 0 && (
        <Section
          title="Boxes"
          aside={<span class="aside">{`${stats.boxes.up} of ${stats.boxes.total} up`}</span>}
        >
          <FleetSection boxes={boxes} concerns={health.concerns} />
        </Section>
      )}
    </>
  );
}

/** Placeholders for the four totals and the four charts, in their final layout. */
const Loading = () => (
  <div class="skeleton" role="status" aria-label="Loading">
    {["totals", "charts"].map((group) => (
      <div key={group} class={group}>
        {[1, 2, 3, 4].map((each) => (
          <span key={each} />
        ))}
      </div>
    ))}
  </div>
);
