/** The concerns of this moment. */
import type { Live } from "../../../protocol/api/live.ts";
import { Section } from "../../parts/basics.tsx";
import { ConcernRows } from "../../parts/concern-rows.tsx";
import { hasRow } from "../../shape/attention.ts";

export function NowWrong({ live }: { live: Live }) {
  const concerns = live.health.concerns.filter(hasRow);
  return (
    <Section title="Wrong now">
      {concerns.length === 0 ? (
        <p class="quiet">Nothing is wrong.</p>
      ) : (
        <ConcernRows concerns={concerns} />
      )}
    </Section>
  );
}
