/** The concerns of this moment. */
import type { Live } from "../../../protocol/api/live.ts";
import { isNarrow } from "../../data/screen.ts";
import { Section } from "../../parts/basics.tsx";
import { ConcernLine } from "../../parts/concern-line.tsx";
import { ConcernRows } from "../../parts/concern-rows.tsx";
import { hasRow } from "../../shape/attention.ts";

export function NowWrong({ live }: { live: Live }) {
  const concerns = live.health.concerns.filter(hasRow);
  return (
    <Section title="Wrong now">
      {isNarrow.value ? (
        // Concerns that come and go would push the events away.
        <ConcernLine label="Concerns" concerns={concerns}>
          Nothing is wrong.
        </ConcernLine>
      ) : concerns.length === 0 ? (
        <p class="quiet">Nothing is wrong.</p>
      ) : (
        <ConcernRows concerns={concerns} />
      )}
    </Section>
  );
}
