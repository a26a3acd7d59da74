/**
 * The callers' ledger against ours: none lost, none twice, none invented, counters equal rows. Pure.
 *
 * A call with an answer has a request id, and exactly one row of that id. One that Ollama was asked
 * for has exactly one row too, though its caller may have heard nothing. A call with neither may have
 * a row or not: whether it was heard before everything died, nobody outside can know; it has at most one.
 */
import type { LogEntry } from "../../protocol/api/logs.ts";
import type { Entry } from "./callers.ts";

export type Accounts = {
  calls: number;
  rows: number;
  /** Broken promises, in words. */
  problems: string[];
  /** Calls with neither an answer nor a word to Ollama: how many there are, and how many of them have a row. */
  unheard: number;
  unheardWithRow: number;
  /** Their caller had all of it, and the record is an error: killed between the last byte and its acknowledgement. */
  wholeButError: number;
  /** The record is a success, and the caller saw its connection break: killed with the last bytes in it. */
  brokenButSuccess: number;
};

export type OurSide = {
  rows: readonly Pick<LogEntry, "id" | "user_agent" | "status">[];
  counted: number;
  exported: number;
};

/** @param asked  keys that Ollama was asked for, as it wrote them down */
export function compare(
  entries: readonly Entry[],
  asked: ReadonlySet<string>,
  ours: OurSide,
): Accounts {
  const problems: string[] = [];
  const byKey = new Map<string, OurSide["rows"][number][]>();
  for (const row of ours.rows)
    byKey.set(row.user_agent ?? "", [...(byKey.get(row.user_agent ?? "") ?? []), row]);
  const ids = new Set(ours.rows.map(({ id }) => id));
  if (ids.size !== ours.rows.length)
    problems.push(`${ours.rows.length - ids.size} request ids stand in more than one row`);
  const accounts: Accounts = {
    calls: entries.length,
    rows: ours.rows.length,
    problems,
    unheard: 0,
    unheardWithRow: 0,
    wholeButError: 0,
    brokenButSuccess: 0,
  };
  for (const { ask, id, outcome, why } of entries) {
    const rows = byKey.get(ask.key) ?? [];
    byKey.delete(ask.key);
    const [row] = rows;
    const about = `${ask.key} (${ask.shape}, ${outcome}${why === "" ? "" : `: ${why.slice(0, 120)}`}, id ${id})`;
    if (rows.length > 1) problems.push(`${about} has ${rows.length} rows`);
    if (id === null && !asked.has(ask.key)) {
      accounts.unheard++;
      if (row !== undefined) accounts.unheardWithRow++;
      continue;
    }
    if (row === undefined)
      problems.push(`${about} has no row; Ollama was ${asked.has(ask.key) ? "" : "not "}asked`);
    else if (id !== null && row.id !== id)
      problems.push(`${about} has a row of another id, ${row.id}`);
    else if (outcome === "whole" && row.status === "error") accounts.wholeButError++;
    else if (outcome === "whole" && row.status === "cancelled")
      problems.push(`${about} is recorded as cancelled`);
    else if (outcome === "broken" && row.status === "success") accounts.brokenButSuccess++;
    else if ((outcome === "told" || outcome === "refused") && row.status === "success")
      problems.push(`${about} is recorded as a success`);
  }
  for (const [key, rows] of byKey)
    problems.push(`${rows.length} rows of ${key || "nobody"}, who made no such call`);
  if (ours.counted !== ours.rows.length)
    problems.push(`the counter says ${ours.counted}, and there are ${ours.rows.length} rows`);
  if (ours.exported !== ours.rows.length)
    problems.push(
      `ollama_requests_total says ${ours.exported}, and there are ${ours.rows.length} rows`,
    );
  return accounts;
}

export const saidOf = (accounts: Accounts): string => {
  const { calls, rows, unheard, unheardWithRow, wholeButError, brokenButSuccess } = accounts;
  const extras = [
    unheard > 0 ? `${unheard} unheard, ${unheardWithRow} of them recorded` : "",
    wholeButError > 0 ? `${wholeButError} whole for the caller, recorded as error` : "",
    brokenButSuccess > 0 ? `${brokenButSuccess} broken for the caller, recorded as success` : "",
  ].filter((extra) => extra !== "");
  return `${calls} calls, ${rows} rows${extras.length > 0 ? ` (${extras.join("; ")})` : ""}`;
};
