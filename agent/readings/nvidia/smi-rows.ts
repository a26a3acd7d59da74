/**
 * Rows of `nvidia-smi --query-gpu=… --format=csv,noheader,nounits`, parsed by the queried columns.
 *
 * Pure. A cell that does not look like a number is `null`. Placeholders are too many to list
 * (`[N/A]`, `N/A`, `[Not Supported]`, `[Unknown Error]`, `[GPU requires reset]`, `ERR!`, …), and
 * the next driver will add another.
 */
import type { GpuReport } from "../gpu-readings.ts";

/** The columns queried first. A driver may refuse some: see {@link withoutRefused}. */
export const GPU_COLUMNS: readonly string[] = [
  "index",
  "uuid",
  "name",
  "driver_version",
  "utilization.gpu",
  "memory.used",
  "memory.total",
  "temperature.gpu",
  "power.draw",
  "power.limit",
  "clocks.sm",
  "fan.speed",
  "clocks_event_reasons.active",
];

/** Drivers before 535 know only the older name. */
const OLDER_NAME: ReadonlyMap<string, string> = new Map([
  ["clocks_event_reasons.active", "clocks_throttle_reasons.active"],
]);

/**
 * Returns the columns to query after the driver refused one: with its older name, or without it.
 * @returns `null` if another query cannot help: the column was not queried, or rows are useless
 *          without it
 */
export function withoutRefused(
  columns: readonly string[],
  refused: string,
): readonly string[] | null {
  if (!columns.includes(refused) || refused === "index") return null;
  return columns.flatMap((column) =>
    column === refused ? (OLDER_NAME.get(column) ?? []) : column,
  );
}

/** Returns the cells of a line by column; null if it is not a row of these columns. */
export function smiCellsOf(line: string, columns: readonly string[]): Map<string, string> | null {
  const cells = line.split(",").map((cell) => cell.trim());
  if (cells.length !== columns.length) return null;
  const byColumn = new Map(columns.map((column, position) => [column, cells[position] ?? ""]));
  return /^\d{1,4}$/.test(byColumn.get("index") ?? "") ? byColumn : null;
}

/**
 * Parses one line. Returns `null` if it is not a row of these columns (an error text, a torn line).
 *
 * Handles no quotes: nvidia-smi writes none, and GPU names contain no comma.
 */
export function parseGpuRow(line: string, columns: readonly string[]): GpuReport | null {
  const cell = smiCellsOf(line, columns);
  if (cell === null) return null;
  const reasons =
    cell.get("clocks_event_reasons.active") ?? cell.get("clocks_throttle_reasons.active");
  return {
    index: Number(cell.get("index")),
    uuid: text(cell.get("uuid"), 128),
    name: text(cell.get("name"), 128) ?? "unknown GPU",
    driver_version: text(cell.get("driver_version"), 64),
    utilization_percent: numberIn(cell.get("utilization.gpu")),
    memory_used_mb: numberIn(cell.get("memory.used")),
    memory_total_mb: numberIn(cell.get("memory.total")),
    temperature_c: numberIn(cell.get("temperature.gpu")),
    power_draw_w: numberIn(cell.get("power.draw")),
    power_limit_w: numberIn(cell.get("power.limit")),
    sm_clock_mhz: numberIn(cell.get("clocks.sm")),
    fan_percent: numberIn(cell.get("fan.speed")),
    throttle_reasons: throttleReasons(reasons),
  };
}

/** Bounded digits, so that garbage cannot become Infinity, which JSON lacks. A unit is optional. */
const NUMBER = /^(-?\d{1,15}(?:\.\d{1,15})?)(?: (?:%|MiB|W|MHz|C))?$/;

/** Returns the number in a cell; null if it has none. */
export function numberIn(cell: string | undefined): number | null {
  const digits = NUMBER.exec(cell ?? "")?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Texts in brackets, `N/A` and `ERR!` mean "unknown" in every column. */
function text(cell: string | undefined, charsMax: number): string | null {
  if (cell === undefined || cell === "" || /^(?:\[.*\]|N\/A|ERR!)$/i.test(cell)) return null;
  return cell.slice(0, charsMax);
}

/** @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html */
const REASONS: readonly (readonly [bit: bigint, name: string])[] = [
  [0x1n, "gpu_idle"],
  [0x2n, "applications_clocks_setting"],
  [0x4n, "sw_power_cap"],
  [0x8n, "hw_slowdown"],
  [0x10n, "sync_boost"],
  [0x20n, "sw_thermal_slowdown"],
  [0x40n, "hw_thermal_slowdown"],
  [0x80n, "hw_power_brake_slowdown"],
  [0x100n, "display_clock_setting"],
];

/**
 * Returns the names in a mask of 64 bits as nvidia-smi prints it. Unknown bits share one last name.
 * @example throttleReasons("0x0000000000000204") // ["sw_power_cap", "unknown_0x200"]
 */
export function throttleReasons(cell: string | undefined): string[] | null {
  if (cell === undefined || !/^0x[0-9a-f]{1,16}$/i.test(cell)) return null;
  let rest = BigInt(cell);
  const names: string[] = [];
  for (const [bit, name] of REASONS) {
    if ((rest & bit) === 0n) continue;
    names.push(name);
    rest ^= bit;
  }
  return rest === 0n ? names : [...names, `unknown_0x${rest.toString(16)}`];
}
