/** The history of each GPU as chart lines. Pure. */
import type { GpuHistory } from "../../protocol/api/system.ts";
import type { Line } from "./history.ts";

export type GpuFigure = "utilization_percent" | "memory_used_mb" | "temperature_c" | "power_draw_w";

/** Memory is charted in GiB, so that the scale has round steps. */
const MIB_PER_GIB = 1_024;

const COLOURS = ["one", "two", "three", "four"] as const;

/**
 * Returns one line per GPU, each of `count` buckets. With more GPUs than colours, colours repeat and only the
 * names distinguish the lines.
 */
export const gpuLines = (gpus: GpuHistory["gpus"], figure: GpuFigure, count: number): Line[] =>
  gpus.map(({ box, index, ...figures }, at) => {
    const isOnly = gpus.filter((gpu) => gpu.box === box).length === 1;
    const drawn = figures[figure].slice(0, count);
    const values =
      figure === "memory_used_mb"
        ? drawn.map((mib) => (mib === null ? null : mib / MIB_PER_GIB))
        : drawn;
    return {
      name: isOnly ? box : `${box} ${index}`,
      values,
      colour: COLOURS[at % COLOURS.length] ?? "one",
    };
  });
