/** The start page: what is wrong, the boxes, and the requests of a period, from which everything is a click. */
import { live } from "../../data/live.ts";
import { Section } from "../../parts/basics.tsx";
import { NoBox } from "../../parts/install.tsx";
import { ActivityPanels } from "./activity-panels.tsx";
import { Attention } from "./attention.tsx";
import { FleetSection } from "./fleet.tsx";
import { useActivity } from "./period.tsx";
import { Totals } from "./totals.tsx";
import { WorthALook } from "./worth-a-look.tsx";

export function Overview() {
  const latest = live.value;
  const { now, before } = useActivity();
  if (latest === null) return <Loading />;
  const { boxes, health, stats } = latest.value;
  return (
    <>
      {boxes.length === 0 && <NoBox />}
      <Attention live={latest.value} />
      {boxes.length > 0 && (
        <section aria-label="Boxes">
          <FleetSection boxes={boxes} concerns={health.concerns} activity={now.data} />
        </section>
      )}
      <ActivityPanels now={now} before={before} />
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
