/**
 * Compares the callers' ledger with the edge's: no record lost, doubled or invented, and counters
 * that equal the records. Pure.
 *
 * A call with an answer has a request id and exactly one record with that id. A call that reached
 * Ollama has exactly one record too, even if its caller received nothing. A call with neither has
 * at most one record: nobody outside can know if it arrived before everything died.
 */
import type { LogEntry } from "../../protocol/api/logs.ts";
import type { Entry } from "./callers.ts";

export type Accounts = {
  calls: number;
  rows: number;
  /** Broken promises, one sentence each. */
  problems: string[];
  /**
   * Calls without an answer that did not reach Ollama either, and how many of them have a record.
   */
  unanswered: number;
  unansweredWithRow: number;
  /**
   * Calls whose caller received everything and whose record is an error: killed between the last
   * byte and its acknowledgement.
   */
  wholeButError: number;
  /**
   * Calls whose record is a success and whose caller saw the connection break: killed while the
   * last bytes were on the way.
   */
  brokenButSuccess: number;
};

export type OurSide = {
  rows: readonly Pick<LogEntry, "id" | "user_agent" | "status">[];
  counted: number;
  exported: number;
};

/** @param reached  keys of the calls that reached Ollama, as it wrote them down */
export function compare(
  entries: readonly Entry[],
  reached: ReadonlySet<string>,
  ours: OurSide,
): Accounts {
  const problems: string[] = [];
  const byKey = new Map<string, OurSide["rows"][number][]>();
  for (const row of ours.rows)
    byKey.set(row.user_agent ?? "", [...(byKey.get(row.user_agent ?? "") ?? []), row]);
  const ids = new Set(ours.rows.map(({ id }) => id));
  if (ids.size !== ours.rows.length)
    problems.push(`${ours.rows.length - ids.size} request ids have more than one record`);
  const accounts: Accounts = {
    calls: entries.length,
    rows: ours.rows.length,
    problems,
    unanswered: 0,
    unansweredWithRow: 0,
    wholeButError: 0,
    brokenButSuccess: 0,
  };
  for (const { callPlan, id, outcome, why } of entries) {
    const rows = byKey.get(callPlan.key) ?? [];
    byKey.delete(callPlan.key);
    const [row] = rows;
    const about = `${callPlan.key} (${callPlan.shape}, ${outcome}${why === "" ? "" : `: ${why.slice(0, 120)}`}, id ${id})`;
    if (rows.length > 1) problems.push(`${about} has ${rows.length} records`);
    if (id === null && !reached.has(callPlan.key)) {
      accounts.unanswered++;
      if (row !== undefined) accounts.unansweredWithRow++;
      continue;
    }
    if (row === undefined)
      problems.push(
        `${about} has no record; it ${reached.has(callPlan.key) ? "reached" : "did not reach"} Ollama`,
      );
    else if (id !== null && row.id !== id)
      problems.push(`${about} has a record with another id, ${row.id}`);
    else if (outcome === "whole" && row.status === "error") accounts.wholeButError++;
    else if (outcome === "whole" && row.status === "cancelled")
      problems.push(`${about} is recorded as cancelled`);
    else if (outcome === "broken" && row.status === "success") accounts.brokenButSuccess++;
    else if ((outcome === "errored" || outcome === "refused") && row.status === "success")
      problems.push(`${about} is recorded as a success`);
  }
  for (const [key, rows] of byKey)
    problems.push(`${rows.length} records of ${key || "nobody"}, who made no such call`);
  if (ours.counted !== ours.rows.length)
    problems.push(`the counter is ${ours.counted}, but there are ${ours.rows.length} records`);
  if (ours.exported !== ours.rows.length)
    problems.push(
      `ollama_requests_total is ${ours.exported}, but there are ${ours.rows.length} records`,
    );
  return accounts;
}

export const summaryOf = (accounts: Accounts): string => {
  const { calls, rows, unanswered, unansweredWithRow, wholeButError, brokenButSuccess } = accounts;
  const extras = [
    unanswered > 0 ? `${unanswered} unanswered, ${unansweredWithRow} of them recorded` : "",
    wholeButError > 0 ? `${wholeButError} whole for the caller, recorded as error` : "",
    brokenButSuccess > 0 ? `${brokenButSuccess} broken for the caller, recorded as success` : "",
  ].filter((extra) => extra !== "");
  return `${calls} calls, ${rows} records${extras.length > 0 ? ` (${extras.join("; ")})` : ""}`;
};
