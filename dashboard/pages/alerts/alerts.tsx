/**
 * The Alerts & events page: what is wrong now, what happened, who gets a message, and from
 * which values on something is wrong.
 */
import { live } from "../../data/live.ts";
import { hasScope } from "../../data/self.ts";
import { Skeleton } from "../../parts/basics.tsx";
import { EventList } from "./event-list.tsx";
import { NowWrong } from "./now-wrong.tsx";
import { Targets } from "./targets.tsx";
import { ThresholdSection } from "./thresholds.tsx";

export function AlertsPage() {
  const latest = live.value;
  if (latest === null) return <Skeleton lines={4} tall />;
  return (
    <>
      <div class="alerts">
        <NowWrong live={latest.value} />
        <EventList />
      </div>
      {hasScope("admin") && (
        <>
          <Targets />
          <ThresholdSection />
        </>
      )}
    </>
  );
}
