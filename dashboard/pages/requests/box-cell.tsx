/** The box of a request, with a mark if it is simulated. */
import { computed } from "@preact/signals";
import { live } from "../../data/live.ts";
import { Simulated } from "../../parts/basics.tsx";
import { UNKNOWN } from "../../shape/format.ts";

/** Joined to one text, so that rows are drawn again only if a name changes. */
const simulatedBoxes = computed(() =>
  (live.value?.value.boxes ?? [])
    .filter(({ simulated }) => simulated)
    .map(({ name }) => name)
    .join("\n"),
);

export function BoxCell({ box }: { box: string | null }) {
  if (box === null) return UNKNOWN;
  const isSimulated = simulatedBoxes.value.split("\n").includes(box);
  return (
    <>
      {box} {isSimulated && <Simulated />}
    </>
  );
}
