/** The history of each GPU as chart lines. Pure. */
import type { GpuHistory } from "../../protocol/api/system.ts";
import type { Line } from "./history.ts";

export type GpuFigure = "utilization_percent" | "memory_used_mb" | "temperature_c" | "power_draw_w";

/** Memory is charted in GiB, so that the scale has round steps. */
const MIB_PER_GIB = 1_024;

const COLOURS = ["one", "two", "three", "four"] as const;

/**
 * Returns one line per GPU. With more GPUs than colours, colours repeat and only the
 * names distinguish the lines.
 */
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
