/** The first page: what needs attention, the totals, the last hours, the boxes. */
import { live } from "../../data/live.ts";
import { Empty, Section, Skeleton } from "../../parts/basics.tsx";
import { Attention } from "./attention.tsx";
import { Charts } from "./charts.tsx";
import { Fleet } from "./fleet.tsx";
import { Totals } from "./totals.tsx";

export function Overview() {
  const latest = live.value;
  if (latest === null) return <Skeleton lines={4} tall />;
  const { value } = latest;
  return (
    <>
      <Attention live={value} />
      <Totals stats={value.stats} />
      <Charts />
      <Section title="Boxes" aside={<span class="aside">{`${value.stats.boxes.up} of ${value.stats.boxes.total} up`}</span>}>
        {value.boxes.length === 0 ? (
          <Empty title="No box has connected yet">
            <p>
              Install the agent beside an Ollama: <a href="#/settings">Settings</a> has the command.
            </p>
          </Empty>
        ) : (
          <Fleet boxes={value.boxes} />
        )}
      </Section>
    </>
  );
}
