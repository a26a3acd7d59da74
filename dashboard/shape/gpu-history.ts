/** The history of each GPU as lines of a chart. Pure. */
import type { GpuHistory } from "../../protocol/api/system.ts";
import type { Line } from "./history.ts";

export type GpuFigure = "utilization_percent" | "memory_used_mb" | "temperature_c" | "power_draw_w";

/** Memory is drawn in GiB: the scale is divided evenly then. */
const MIB_PER_GIB = 1_024;

const COLOURS = ["one", "two", "three", "four"] as const;

/** More lines than colours would look like fewer GPUs than there are: from then on the colours come again, and the names tell. */
export const gpuLines = (gpus: GpuHistory["gpus"], figure: GpuFigure): Line[] =>
  gpus.map(({ box, index, ...figures }, at) => {
    const isOnly = gpus.filter((gpu) => gpu.box === box).length === 1;
    const values =
      figure === "memory_used_mb"
        ? figures[figure].map((mib) => (mib === null ? null : mib / MIB_PER_GIB))
        : figures[figure];
    return {
      name: isOnly ? box : `${box} ${index}`,
      values,
      colour: COLOURS[at % COLOURS.length] ?? "one",
    };
  });
