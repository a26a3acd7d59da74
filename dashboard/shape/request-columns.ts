/** The columns of the request list: their names, and by which figure of the API each sorts. Pure. */
import type { LogSort } from "../../protocol/log-order.ts";

type Column = {
  title: string;
  /** The title in full, where the short one needs it. */
  about?: string;
  sort?: LogSort;
  isNumber?: boolean;
  /** Shown unless the reader has chosen. */
  isUsual?: boolean;
};

export const COLUMNS = {
  time: { title: "Time", sort: "time", isUsual: true },
  model: { title: "Model", isUsual: true },
  box: { title: "Box", isUsual: true },
  key: { title: "Key", isUsual: true },
  kind: { title: "Endpoint" },
  ttft: {
    title: "TTFT",
    about: "Time to first token",
    sort: "ttft",
    isNumber: true,
    isUsual: true,
  },
  timeline: { title: "Timeline", isUsual: true },
  latency: { title: "Latency", sort: "latency", isNumber: true, isUsual: true },
  input: { title: "In", about: "Tokens of the prompt", isNumber: true },
  tokens: { title: "Out", about: "Output tokens", sort: "tokens", isNumber: true, isUsual: true },
  rate: { title: "tok/s", about: "Decode rate", sort: "rate", isNumber: true, isUsual: true },
  energy: { title: "Energy", sort: "energy", isNumber: true, isUsual: true },
  cost: { title: "Cost", isNumber: true },
  prompt: { title: "Prompt" },
} as const satisfies Record<string, Column>;
export type ColumnName = keyof typeof COLUMNS;

export const columnOf = (name: ColumnName): Column => COLUMNS[name];
export const COLUMN_NAMES = Object.keys(COLUMNS) as ColumnName[];
export const USUAL_COLUMNS = COLUMN_NAMES.filter((name) => columnOf(name).isUsual === true);

/** The columns that name a row. They stay. */
export const FIXED_COLUMNS: readonly ColumnName[] = ["time", "model"];

/** Returns the columns that a stored choice has, in their order; the usual ones if it is invalid. */
export function columnsIn(value: unknown): ColumnName[] {
  if (!Array.isArray(value)) return USUAL_COLUMNS;
  return COLUMN_NAMES.filter((name) => FIXED_COLUMNS.includes(name) || value.includes(name));
}
