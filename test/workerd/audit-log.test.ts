/** The storage of the audit log: its order, its bounds, and changes that were interrupted. */
import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { newRequestId } from "../../protocol/request-id.ts";
import {
  AUDIT_ACCESS_MAX,
  AUDIT_CHANGES_MAX,
  AuditLog,
} from "../../worker/aggregator/audit-log.ts";
import { RETENTION } from "../../worker/retention.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const DAY_MS = 86_400_000;

/** Works on the log of a fresh Aggregator. */
async function onLog<Result>(work: (log: AuditLog, sql: SqlStorage) => Result): Promise<Result> {
  return runInDurableObject(await freshAggregator(), (_, { storage: { sql } }) =>
    work(new AuditLog(sql, (id) => (id === "admin" ? "ADMIN_KEY" : null)), sql),
  );
}

const change = (target: string) => ({
  action: "pin_set" as const,
  target,
  detail: null,
  via: "key" as const,
  key_id: "admin",
  identity: null,
  client_ip: null,
  user_agent: null,
  request_id: newRequestId(Date.now()),
});
const DONE = { outcome: "done" as const, error: null, target: null };

test("a change whose outcome nobody reported gets an entry that states so", async () => {
  const nowMs = Date.now();
  await onLog((log) => {
    const [lost, reported] = [change("lost"), change("reported")];
    for (const each of [lost, reported]) log.open(each, nowMs);
    for (let twice = 0; twice < 2; twice++) log.close(reported.request_id, DONE, nowMs);
    const targets = (atMs: number) =>
      log.page({ limit: 9 }, atMs).entries.map(({ target, outcome }) => [target, outcome]);
    expect(targets(nowMs + 60_000)).toEqual([["reported", "done"]]);
    const late = [
      ["lost", "unknown"],
      ["reported", "done"],
    ];
    expect(targets(nowMs + 3_600_000)).toEqual(late);
    log.close(lost.request_id, DONE, nowMs + 3_600_001);
    expect(targets(nowMs + 3_600_002)).toEqual(late);
  });
});

test("no statement changes an entry", async () => {
  await onLog((log, sql) => {
    log.add(change("atlas"), DONE, 1, Date.now());
    expect(() => sql.exec("UPDATE audit SET entry = '{}'")).toThrow(/cannot be changed/);
  });
});

test("refusals push out no change, and the log is bounded by number and age", async () => {
  const nowMs = Date.now();
  await onLog((log, sql) => {
    const rows = (is_change: number, count: number, fromMs: number) =>
      sql.exec(
        `INSERT INTO audit (at_ms, is_change, entry)
          WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?2 - 1)
          SELECT ?1 + i, ?3, '{}' FROM n`,
        fromMs,
        count,
        is_change,
      );
    const counts = () =>
      sql
        .exec("SELECT is_change, count(*) AS n FROM audit GROUP BY is_change ORDER BY is_change")
        .toArray()
        .map(({ n }) => n);
    rows(1, 10, nowMs - RETENTION.auditMs - DAY_MS);
    rows(1, AUDIT_CHANGES_MAX, nowMs - 10 * DAY_MS);
    rows(0, AUDIT_ACCESS_MAX + 500, nowMs - DAY_MS);
    log.deleteOld(nowMs, null);
    expect(counts()).toEqual([AUDIT_ACCESS_MAX, AUDIT_CHANGES_MAX]);
    rows(1, 5, nowMs);
    // A store that has not received them yet holds them.
    log.deleteOld(nowMs, nowMs - 11 * DAY_MS);
    expect(counts()).toEqual([AUDIT_ACCESS_MAX, AUDIT_CHANGES_MAX + 5]);
    log.deleteOld(nowMs, null);
    expect(counts()).toEqual([AUDIT_ACCESS_MAX, AUDIT_CHANGES_MAX]);
  });
});
