/**
 * Decides how to read the power of each GPU, by the cells of the driver's first answer. Pure.
 *
 * `power.draw` is the mean of the last second on Ampere and later, and instantaneous before.
 * `power.draw.instant` is instantaneous on every card, in drivers that know it.
 */
import type { EnergyMethod } from "../../../protocol/records.ts";
import { numberIn, smiCellsOf } from "./smi-rows.ts";

/** Columns that decide it. Older drivers know none of them. */
export const POWER_COLUMNS: readonly string[] = [
  "power.draw.instant",
  "power.draw.average",
  "compute_cap",
];

/** Compute capability of the first cards with a mean: Ampere. */
const AMPERE = 8;

export type PowerField = "power.draw.instant" | "power.draw";

export type PowerFields = {
  /** The kind of `power.draw`. */
  drawKind: EnergyMethod;
  /** The field with instantaneous power; null if the card has none. */
  instantField: PowerField | null;
};

/** Returns how to read the power of a GPU by its row. */
export function powerFieldsOf(cells: ReadonlyMap<string, string>): PowerFields {
  const isRead = (field: string) => numberIn(cells.get(field)) !== null;
  const capability = numberIn(cells.get("compute_cap"));
  const isOlder =
    capability === null
      ? cells.has("power.draw.average") && !isRead("power.draw.average")
      : capability < AMPERE;
  const drawKind = isOlder ? "instant" : "mean";
  if (isRead("power.draw.instant")) return { drawKind, instantField: "power.draw.instant" };
  return { drawKind, instantField: isOlder && isRead("power.draw") ? "power.draw" : null };
}

/** Returns the columns of a query for the instantaneous power of GPUs; null if none has it. */
export function instantColumns(readings: Iterable<PowerFields>): readonly string[] | null {
  const fields = new Set([...readings].flatMap(({ instantField }) => instantField ?? []));
  return fields.size === 0 ? null : ["index", ...fields];
}

/**
 * Returns the power of one GPU in a row of {@link instantColumns}; null if it is not such a row.
 */
export function instantPowerIn(
  line: string,
  columns: readonly string[],
  readings: ReadonlyMap<number, PowerFields>,
): { index: number; watts: number | null } | null {
  const cells = smiCellsOf(line, columns);
  if (cells === null) return null;
  const index = Number(cells.get("index"));
  const field = readings.get(index)?.instantField;
  return { index, watts: field == null ? null : numberIn(cells.get(field)) };
}
