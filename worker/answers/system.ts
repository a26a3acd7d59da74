/** `/api/system`: the newest samples of the machines, one by one and combined. */
import type { BoxSystem, System } from "../../protocol/api/system.ts";
import type { SystemSample } from "../../protocol/records.ts";
import { freshSystem, type RegisteredBox } from "../registered-box.ts";
import { isoOf, rounded, roundedOrNull } from "./figures.ts";

export type MachineFigures = Pick<
  SystemSample,
  | "cpu_percent"
  | "cpu_count_logical"
  | "memory_total_bytes"
  | "memory_used_bytes"
  | "disk_total_bytes"
  | "disk_used_bytes"
>;

/**
 * @param boxes  the requested boxes
 * @param isUp   names of the boxes that are up by their own status
 */
export function systemState(
  boxes: readonly RegisteredBox[],
  isUp: ReadonlySet<string>,
  nowMs: number,
): System {
  const shown = boxes.map((box) => ({
    box,
    sample: isUp.has(box.name) ? freshSystem(box, nowMs) : null,
  }));
  const samples = shown.flatMap(({ sample }) => sample ?? []);
  const each = shown.map(({ box, sample }): BoxSystem => {
    const error = sample === null ? whyNoSample(box, isUp.has(box.name)) : null;
    return {
      box: box.name,
      ...machineOf(sample === null ? [] : [sample]),
      timestamp: sample?.at ?? null,
      error,
    };
  });
  const all = machineOf(samples);
  const errors =
    each.length === 0
      ? "no box is known"
      : each.map(({ box, error }) => `${box}: ${error}`).join("; ");
  return { ...all, timestamp: isoOf(nowMs), error: all.available ? null : errors, boxes: each };
}

function whyNoSample({ readings }: RegisteredBox, isUp: boolean): string {
  if (!isUp) return "the box is not connected";
  if (readings === null) return "the box has sent no readings yet";
  if (readings.system.length === 0)
    return "its agent is too old to sample the machine; install the one that this Worker serves";
  return "the last sample is more than 3 minutes old";
}

function machineOf(
  samples: readonly MachineFigures[],
): Omit<System, "timestamp" | "error" | "boxes"> {
  const {
    cpu_percent,
    cpu_count_logical,
    memory_total_bytes: total,
    memory_used_bytes: used,
    ...disk
  } = asOne(samples);
  return {
    available: samples.length > 0,
    cpu_percent: roundedOrNull(cpu_percent),
    cpu_count: null,
    cpu_count_logical,
    memory_total_gb: gibOf(total),
    memory_used_gb: gibOf(used),
    memory_available_gb: gibOf(total === null || used === null ? null : total - used),
    memory_percent: percentOfTotal(used, total),
    disk_total_gb: gibOf(disk.disk_total_bytes),
    disk_used_gb: gibOf(disk.disk_used_bytes),
    disk_percent: percentOfTotal(disk.disk_used_bytes, disk.disk_total_bytes),
  };
}

/** Combines several machines. A figure is null if no machine reports it. */
export function asOne(machines: readonly MachineFigures[]): MachineFigures {
  return {
    cpu_percent: weightedMean(
      machines.map(({ cpu_percent, cpu_count_logical }) => [cpu_percent, cpu_count_logical]),
    ),
    cpu_count_logical: sumOrNull(machines.map((machine) => machine.cpu_count_logical)),
    memory_total_bytes: sumOrNull(machines.map((machine) => machine.memory_total_bytes)),
    memory_used_bytes: sumOrNull(machines.map((machine) => machine.memory_used_bytes)),
    disk_total_bytes: sumOrNull(machines.map((machine) => machine.disk_total_bytes)),
    disk_used_bytes: sumOrNull(machines.map((machine) => machine.disk_used_bytes)),
  };
}

type Figure = number | null;

const known = (figures: readonly Figure[]): number[] => figures.filter((figure) => figure !== null);

/** Sums the known figures; null if all are unknown. */
export const sumOrNull = (figures: readonly Figure[]): Figure =>
  known(figures).reduce<Figure>((sum, figure) => (sum ?? 0) + figure, null);
export const maxOf = (figures: readonly Figure[]): Figure =>
  known(figures).reduce<Figure>((max, figure) => Math.max(max ?? figure, figure), null);
export const meanOf = (figures: readonly Figure[]): Figure =>
  weightedMean(figures.map((figure) => [figure, 1]));

function weightedMean(figures: readonly (readonly [figure: Figure, weight: Figure])[]): Figure {
  let [sum, weights] = [0, 0];
  for (const [figure, weight] of figures) {
    if (figure === null || weight === null) continue;
    sum += figure * weight;
    weights += weight;
  }
  return weights === 0 ? null : sum / weights;
}

const BYTES_PER_GIB = 2 ** 30;
const MIB_PER_GIB = 1_024;

export const gibOf = (bytes: Figure): Figure =>
  bytes === null ? null : rounded(bytes / BYTES_PER_GIB);
/** Converts nvidia-smi's MiB, which `/api/gpu` calls MB. */
export const gibOfMib = (mib: Figure): Figure => (mib === null ? null : rounded(mib / MIB_PER_GIB));
/** Never above 100, although the two can be means over different moments. */
export const percentOfTotal = (part: Figure, whole: Figure): Figure =>
  part === null || whole === null || whole === 0
    ? null
    : rounded(Math.min(100, (100 * part) / whole));
