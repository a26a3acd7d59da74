/** The Alerts & events page: what is wrong now, what happened, and who gets a message. */
import { live } from "../../data/live.ts";
import { hasScope } from "../../data/self.ts";
import { Skeleton } from "../../parts/basics.tsx";
import { EventList } from "./event-list.tsx";
import { NowWrong } from "./now-wrong.tsx";
import { Targets } from "./targets.tsx";

export function AlertsPage() {
  const latest = live.value;
  if (latest === null) return <Skeleton lines={4} tall />;
  return (
    <>
      <NowWrong live={latest.value} />
      <EventList />
      {hasScope("admin") && <Targets />}
    </>
  );
}
