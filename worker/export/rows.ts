/**
 * Rows: a finished request, a sample, an hour of energy and an entry of the audit log, as every external
 * store keeps them.
 *
 * Rows carry the names of `protocol/columns.ts`; each store renames the few that it names
 * differently. Text is cleaned of the characters that a store rejects (NUL in Postgres, half a
 * surrogate pair in both), so one caller's prompt cannot block everybody's records.
 */
import type { AuditEntry } from "../../protocol/audit.ts";
import type {
  StoredEnergyHour,
  StoredGpuSample,
  StoredRequest,
  StoredSystemSample,
} from "../../protocol/columns.ts";
import { PROMPT_CHARS_MAX, RESPONSE_CHARS_MAX } from "../../protocol/limits.ts";
import {
  cut,
  type GpuSample,
  type RequestRecord,
  type SystemSample,
  tokensUsed,
} from "../../protocol/records.ts";
import { countsAsInference } from "../../protocol/routes.ts";
import type { EnergyHour } from "../counting/energy-hours.ts";

export type GpuRow = Omit<StoredGpuSample, "throttle_reasons"> & {
  /** Separated by commas; empty when the clocks are not throttled, null when unknown. */
  throttle_reasons: string | null;
};

/** Rows by kind. A store may name their tables differently: Postgres has `request_logs`. */
export type RowOf = {
  requests: StoredRequest;
  gpu_samples: GpuRow;
  system_samples: StoredSystemSample;
  energy_hours: StoredEnergyHour;
  audit_log: AuditEntry;
};
/**
 * Hours of a box that were closed at the same time. `simulated` is null if the box was forgotten.
 */
export type EnergyBatch = {
  atMs: number;
  box: string;
  hours: readonly EnergyHour[];
  currency: string | null;
  simulated: boolean | null;
};
export type Kind = keyof RowOf;
export type AnyRow = RowOf[Kind];
export type Rows = { [Name in Kind]: { kind: Name; rows: RowOf[Name][] } }[Kind];

/** Room for the mark that the agent left where it cut a text. */
const MARK_CHARS = 64;
/** Bounds names, errors and addresses, far above what a record may contain. */
const TEXT_CHARS_MAX = 4_000;
const CHARS_MAX: Record<string, number> = {
  prompt: PROMPT_CHARS_MAX + MARK_CHARS,
  response: RESPONSE_CHARS_MAX + MARK_CHARS,
};

export function requestRow(record: RequestRecord, finishedMs: number): StoredRequest {
  return cleaned({
    ...record,
    finished_at: new Date(finishedMs).toISOString(),
    is_inference: countsAsInference(record),
    tokens_used: tokensUsed(record),
  });
}

export const gpuRow = (
  { throttle_reasons, ...rest }: GpuSample,
  simulated: boolean | null,
): GpuRow => cleaned({ ...rest, throttle_reasons: throttle_reasons?.join(",") ?? null, simulated });

export const systemRow = (box: string, sample: SystemSample): StoredSystemSample =>
  cleaned({ ...sample, box });

export const auditRow = (entry: AuditEntry): AuditEntry => cleaned(entry);

/** Returns one row for each state and model with energy, of hours that were closed together. */
export function energyRows({
  atMs,
  box,
  hours,
  currency,
  simulated,
}: EnergyBatch): StoredEnergyHour[] {
  const recorded_at = new Date(atMs).toISOString();
  return hours.flatMap((hour) => {
    const parts = [
      { state: "active" as const, model: "", amount: hour.active },
      { state: "idle" as const, model: "", amount: hour.idle },
      ...hour.standing.map(({ model, ...amount }) => ({ state: "loaded" as const, model, amount })),
    ];
    return parts
      .filter(({ amount }) => amount.j > 0)
      .map(({ state, model, amount: { j, cost, cost_j, co2_g, co2_j } }) =>
        cleaned({
          hour: new Date(hour.at * 1_000).toISOString(),
          box,
          recorded_at,
          state,
          model,
          energy_j: j,
          cost: cost_j > 0 ? cost : null,
          cost_currency: cost_j > 0 ? currency : null,
          priced_j: cost_j,
          co2_g: co2_j > 0 ? co2_g : null,
          simulated,
        }),
      );
  });
}

/** Names a row in a message, without its content. */
export function subjectOf(row: AnyRow): string {
  if ("action" in row) return `entry ${row.id} of the audit log`;
  if ("request_id" in row) return `request ${row.request_id}`;
  return `${"state" in row ? "energy" : "sample"} of ${row.box}`;
}

/** Removes from the texts of a row what a store rejects, and cuts those that are too long. */
function cleaned<Row extends object>(row: Row): Row {
  const entries = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === "string" ? cut(wellFormed(value), CHARS_MAX[name] ?? TEXT_CHARS_MAX) : value,
  ]);
  return Object.fromEntries(entries) as Row;
}

/** Replaces what a store rejects by U+FFFD, which readers of such text show anyway. */
export const wellFormed = (text: string): string => text.toWellFormed().replaceAll("\0", "\uFFFD");
