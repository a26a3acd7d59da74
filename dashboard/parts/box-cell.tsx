/** The name of a box, with a mark if it is simulated. */
import { computed } from "@preact/signals";
import { live } from "../data/live.ts";
import { UNKNOWN } from "../shape/format.ts";
import { Simulated } from "./basics.tsx";

/** Joined to one text, so that rows are drawn again only if a name changes. */
const simulatedBoxes = computed(() =>
  (live.value?.value.boxes ?? [])
    .filter(({ simulated }) => simulated)
    .map(({ name }) => name)
    .join("\n"),
);

type Props = {
  box: string | null;
  /** As the record has it; left out or null for what the box is now. */
  simulated?: boolean | null;
};

export function BoxCell({ box, simulated = null }: Props) {
  if (box === null) return UNKNOWN;
  const isSimulated = simulated ?? simulatedBoxes.value.split("\n").includes(box);
  return (
    <>
      {box} {isSimulated && <Simulated />}
    </>
  );
}
