/** The lower part of the page of a box: its history, energy, events and benches. */
import type { LiveBox } from "../../../protocol/api/live.ts";
import type { InstalledModels } from "../../../protocol/api/ollama.ts";
import { useQuery } from "../../data/query.ts";
import { linkTo } from "../../data/scope.ts";
import { FailureNote, Section } from "../../parts/basics.tsx";
import { EventRows } from "../../parts/event-rows.tsx";
import { BenchSection } from "../models/bench.tsx";
import { MachineHistory } from "../system/history.tsx";
import { ModelCosts } from "./model-costs.tsx";

const EVENTS_SHOWN = 12;
const EVENTS_EVERY_MS = 15_000;

type Props = { box: LiveBox; models: InstalledModels["models"]; mayChange: boolean };

export function BoxBelow({ box, models, mayChange }: Props) {
  const { name } = box;
  const query = { box: name, limit: EVENTS_SHOWN };
  const events = useQuery("/api/events", { query }, EVENTS_EVERY_MS);
  return (
    <>
      <MachineHistory box={name} />
      <ModelCosts box={name} />
      <Section title="Events" aside={<a href={linkTo("alerts", { box: name })}>All events</a>}>
        {events.error !== null && (
          <FailureNote
            title="Could not load the events."
            detail={events.error}
            retry={events.refetch}
          />
        )}
        {events.data?.events.length === 0 && <p class="quiet">Nothing has happened yet.</p>}
        <EventRows events={events.data?.events ?? []} />
      </Section>
      <BenchSection models={models} boxes={[box]} narrowing={{ box: name }} isAdmin={mayChange} />
    </>
  );
}
