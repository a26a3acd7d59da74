/** The ledger beside a plain map of records: whatever is added, completed, deleted, rolled back or read again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RequestRecord } from "../../protocol/records.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { migrate } from "../../worker/aggregator/schema.ts";
import { RETENTION } from "../../worker/retention.ts";
import { recordOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";
import { storageIn } from "./object-files.ts";

const NOW = Date.now();
const REFUSED = { box: null, status: "error", failed_at: "gateway", http_status: 400 } as const;
const CUT = { status: "error", failed_at: "tunnel", http_status: 502 } as const;
const TEXTS = ["", 'a "quoted"\nline\0 é 😀', "x".repeat(3_000), "é".repeat(9_999), null];

async function withStorage(work: (storage: DurableObjectStorage) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ledger-"));
  const storage = storageIn(folder);
  try {
    migrate(storage, 0);
    await work(storage);
  } finally {
    storage.close();
    rmSync(folder, { recursive: true });
  }
}

const ledgerOf = ({ sql }: DurableObjectStorage) =>
  new Ledger(sql, new Forgotten(sql), () => Promise.resolve());
const rowsIn = ({ sql }: DurableObjectStorage) =>
  sql.exec("SELECT page FROM ledger_pages").toArray().length;

test.each([1, 2, 3])("holds what a map holds after 150 changes, seed %i", (seed) =>
  withStorage(async (storage) => {
    const random = seeded(seed);
    const pick = <Value>(values: readonly Value[]): Value =>
      values[Math.floor(random() * values.length)] as Value;
    const kept = new Map<string, RequestRecord>();
    const gone = new Set<string>();
    let ledger = ledgerOf(storage);
    for (let step = 0; step < 150; step++) {
      const act = random();
      if (act < 0.7) {
        const isLate = random() < 0.1;
        const startedMs = NOW - RETENTION.logsMs - 1_000 + step * 10 - (isLate ? 3_600_000 : 0);
        const kind = pick([{}, {}, REFUSED, CUT]);
        const batch = Array.from({ length: 1 + Math.floor(random() * 9) }, (_, n) =>
          recordOf(
            startedMs,
            { ...kind, prompt: pick(TEXTS), response: pick(TEXTS) },
            step * 10 + n,
          ),
        );
        for (const record of batch) expect(ledger.insert(record, NOW)).toBe(true);
        if (random() < 0.1) ledger.rolledBack();
        else {
          ledger.write();
          for (const record of batch) kept.set(record.request_id, record);
        }
      } else if (act < 0.8 && kept.size > 0) {
        const record = pick([...kept.values()]);
        expect(ledger.insert(record, NOW)).toBe(false);
        ledger.complete({ ...record, http_status: 504, latency_ms: 123_456.5 });
        if (record.failed_at === "tunnel")
          kept.set(record.request_id, { ...record, http_status: 504, latency_ms: 123_456.5 });
      } else if (act < 0.9) {
        const excess = Math.floor(random() * 30);
        const isOfRefused = random() < 0.5;
        const count = isOfRefused
          ? ledger.forgetRefusedSlice(excess, null)
          : ledger.forgetSlice(NOW - RETENTION.logsMs, excess, null);
        const left = new Set(ledger.ids());
        for (const [id, record] of kept)
          if (!left.has(id)) {
            if (isOfRefused) expect(record).toMatchObject(REFUSED);
            kept.delete(id);
            gone.add(id);
          }
        expect(count).toBeLessThanOrEqual(excess);
      } else ledger = ledgerOf(storage);
      expect(ledger.ids(), `step ${step}`).toEqual([...kept.keys()].sort());
    }
    const found = ledger.records([...kept.keys()]).map(({ record }) => record);
    expect(new Map(found.map((record) => [record.request_id, record]))).toEqual(kept);
    for (const id of gone) expect(ledger.knows(id)).toBe(true);
    for (const q of ['"quoted"\nLINE', "\0 é", "xxx"]) {
      const { total } = await ledger.page({ limit: 1, q });
      const has = (text: string | null) => text?.toLowerCase().includes(q.toLowerCase());
      const wanted = [...kept.values()].filter(
        ({ prompt, response }) => has(prompt) || has(response),
      );
      expect(total).toBe(wanted.length);
    }
  }),
);

test("many records are one row, however they come, and longer ones fewer", () =>
  withStorage(async (storage) => {
    const ledger = ledgerOf(storage);
    const add = (from: number, count: number, response: string) => {
      for (let n = from; n < from + count; n++) {
        ledger.insert(recordOf(NOW, { prompt: null, response }, n), NOW);
        ledger.write();
      }
    };
    add(0, 64, "short");
    expect(rowsIn(storage)).toBe(1);
    add(64, 1, "short");
    expect(rowsIn(storage)).toBe(2);
    add(65, 3, "é".repeat(40_000));
    expect(rowsIn(storage)).toBe(5);
    expect(await ledger.page({ limit: 3, texts: "short" })).toMatchObject({
      total: 68,
      logs: Array(3).fill({ response: `${"é".repeat(200)}…` }),
    });
  }));
