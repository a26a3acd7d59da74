import { join } from "node:path";
import { expect, test } from "vitest";
import { Spool } from "../../../agent/spool/spool.ts";
import { DEMO_HISTORY_MS, demoHistory } from "../../../local/demo-history.ts";
import { seedHistory } from "../../../local/demo-seeding.ts";
import { DEMO_BOXES } from "../../../local/simulation.ts";
import { ReportedRecord } from "../../../protocol/records.ts";
import { timeOf } from "../../../protocol/uuid-time.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const END_MS = Date.parse("2026-11-27T12:00:00.000Z");
const HISTORIES = DEMO_BOXES.map((box) => ({ box, records: demoHistory(box, END_MS) }));

test("makes the same half hour of requests for each box at every start", () => {
  for (const { box, records } of HISTORIES) {
    expect(demoHistory(box, END_MS)).toEqual(records);
    expect(records.length).toBeGreaterThan(80);
    expect(new Set(records.map(({ request_id }) => request_id)).size).toBe(records.length);
    for (const record of records) {
      expect(ReportedRecord.parse(record)).toEqual(record);
      const startMs = Date.parse(record.started_at);
      expect(timeOf(record.request_id)).toBe(startMs);
      expect(startMs).toBeGreaterThanOrEqual(END_MS - DEMO_HISTORY_MS);
      expect(startMs + record.latency_ms).toBeLessThan(END_MS);
    }
  }
});

test("has failed, cancelled and cold requests, a queue on the box with one slot, and every model", () => {
  const all = HISTORIES.flatMap(({ records }) => records);
  const statuses = new Set(all.map(({ status }) => status));
  expect(statuses).toEqual(new Set(["success", "error", "cancelled"]));
  expect(all.filter(({ load_ms }) => (load_ms ?? 0) > 750).length).toBeGreaterThan(4);
  for (const { box, records } of HISTORIES) {
    expect(records.some(({ queue_ms }) => (queue_ms ?? 0) > 0)).toBe(box.slots === 1);
    expect(new Set(records.map(({ model }) => model))).toEqual(new Set(box.models));
  }
});

test("puts the history into a new spool, and into none that has requests of its own", () => {
  const [box] = DEMO_BOXES;
  if (box === undefined) throw new Error("The demo has no boxes.");
  const folder = temporaryFolder("seeded-");
  const pending = () => {
    const spool = Spool.open(join(folder, "spool"), { now: Date.now, log: () => {} });
    const count = spool.pending;
    spool.close();
    return count;
  };
  seedHistory(box, folder, END_MS);
  const seeded = pending();
  expect(seeded).toBe(demoHistory(box, END_MS).length);
  seedHistory(box, folder, END_MS + 60_000);
  expect(pending()).toBe(seeded);
});
