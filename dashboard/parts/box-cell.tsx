/** The name of a box, with a mark if it is simulated. */
import { computed } from "@preact/signals";
import { live } from "../data/live.ts";
import { UNKNOWN } from "../shape/format.ts";
import { Simulated } from "./basics.tsx";
import { BoxLink } from "./place-links.tsx";

/** Joined to one text, so that rows are drawn again only if a name changes. */
const simulatedBoxes = computed(() =>
  (live.value?.value.boxes ?? [])
    .filter(({ simulated }) => simulated)
    .map(({ name }) => name)
    .join("\n"),
);

const SimulatedSign = () => (
  <span class="simulated-sign" title="Simulated">
    <span aria-hidden="true">◆</span>
    <span class="sr-only">simulated</span>
  </span>
);

type Props = {
  box: string | null;
  /** As the record has it; left out or null for what the box is now. */
  simulated?: boolean | null;
  /** In a dense list, a sign stands for the word. */
  isBrief?: boolean;
  /** Leads to the page of the box. */
  isLink?: boolean;
};

const Mark = ({ box, simulated = null, isBrief = false }: Props & { box: string }) => {
  const isSimulated = simulated ?? simulatedBoxes.value.split("\n").includes(box);
  if (!isSimulated) return null;
  return isBrief ? <SimulatedSign /> : <Simulated />;
};

export const BoxCell = ({ box, isLink = false, ...rest }: Props) =>
  box === null ? (
    UNKNOWN
  ) : (
    <>
      {isLink ? <BoxLink box={box} /> : box} <Mark box={box} {...rest} />
    </>
  );
