/** The box of a request, with a mark if it is simulated. */
import { live } from "../../data/live.ts";
import { Simulated } from "../../parts/basics.tsx";
import { UNKNOWN } from "../../shape/format.ts";

export function BoxCell({ box }: { box: string | null }) {
  if (box === null) return UNKNOWN;
  const isSimulated = live.value?.value.boxes.find(({ name }) => name === box)?.simulated ?? false;
  return (
    <>
      {box} {isSimulated && <Simulated />}
    </>
  );
}
