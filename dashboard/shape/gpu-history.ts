/** The history of each GPU as chart lines. Pure. */
import type { GpuHistory } from "../../protocol/api/system.ts";
import type { Line } from "./history.ts";
import { type Cut, cutColumn } from "./machine-history.ts";

export type GpuFigure = "utilization_percent" | "memory_used_mb" | "temperature_c" | "power_draw_w";

/** Memory is charted in GiB, so that the scale has round steps. */
const MIB_PER_GIB = 1_024;

const COLOURS = ["one", "two", "three", "four"] as const;

/**
 * Returns one line per GPU, of the buckets of a cut. With more GPUs than colours, colours repeat and only the
 * names distinguish the lines.
 * @param isOneBox  names the GPUs of a box by their index alone
 */
export const gpuLines = (
  gpus: GpuHistory["gpus"],
  figure: GpuFigure,
  cut: Cut,
  isOneBox: boolean,
): Line[] =>
  gpus.map(({ box, index, ...figures }, at) => {
    const isOnly = gpus.filter((gpu) => gpu.box === box).length === 1;
    const drawn = cutColumn(figures[figure], cut);
    const values =
      figure === "memory_used_mb"
        ? drawn.map((mib) => (mib === null ? null : mib / MIB_PER_GIB))
        : drawn;
    return {
      name: isOneBox ? `GPU ${index}` : isOnly ? box : `${box} ${index}`,
      values,
      colour: COLOURS[at % COLOURS.length] ?? "one",
    };
  });
