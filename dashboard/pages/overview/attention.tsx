/** The concerns of all boxes, or that all is well. */
import type { Live } from "../../../protocol/api/live.ts";
import { ConcernLine } from "../../parts/concern-line.tsx";
import { hasRow } from "../../shape/attention.ts";
import { count } from "../../shape/format.ts";

export function Attention({ live }: { live: Live }) {
  const { concerns } = live.health;
  if (live.boxes.length === 0 && !concerns.some(hasRow)) return null;
  const { requests, errors, minutes } = live.recent;
  const { up } = live.stats.boxes;
  return (
    <ConcernLine label="Needs attention" concerns={concerns}>
      <i class="beat" /> All well: {up === 1 ? "the box is up" : `all ${up} boxes are up`},{" "}
      {count(requests)} {requests === 1 ? "request" : "requests"} in the last {minutes} minutes,{" "}
      {errors === 0 ? "none" : count(errors)} failed.
    </ConcernLine>
  );
}
