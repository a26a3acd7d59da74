/** Takes notes for the audit log: a change that is about to be made, its outcome, or both at once. */
import type { AuditedChange } from "../../protocol/audit.ts";
import type { AuditLog, AuditOutcome } from "./audit-log.ts";
import type { AggregatorStores } from "./stores.ts";
import type { Wakes } from "./wakes.ts";

/** `id` is the id of the call, which is also that of its open change. */
export type AuditNote =
  | { act: "open"; change: AuditedChange }
  | { act: "close"; id: string; outcome: AuditOutcome }
  | { act: "add"; change: AuditedChange; outcome: AuditOutcome; times: number };

export type AuditFilter = Parameters<AuditLog["page"]>[0];

/** Durable when it returns. */
export async function noteAudit(
  { audit }: AggregatorStores,
  wakes: Wakes,
  note: AuditNote,
): Promise<void> {
  const nowMs = Date.now();
  await wakes.flushingSoon(nowMs, () => {
    if (note.act === "open") audit.open(note.change, nowMs);
    else if (note.act === "close") audit.close(note.id, note.outcome, nowMs);
    else audit.add(note.change, note.outcome, note.times, nowMs);
  });
  await wakes.onNewData(nowMs);
}
