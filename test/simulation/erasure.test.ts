/** Deleted texts in the files of the database. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DAY_MS } from "../../protocol/day.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { idFloor } from "../../protocol/uuid-time.ts";
import { Erasure } from "../../worker/aggregator/erasure.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { migrate } from "../../worker/aggregator/schema.ts";
import { RETENTION } from "../../worker/retention.ts";
import { recordOf } from "../support/records.ts";
import { occurrencesIn, storageIn } from "./object-files.ts";

const OLD = "canary-of-an-old-text";
const NEW = "canary-of-a-new-text";
const NOW = Date.now();
/** Lengths around the sizes at which SQLite moves a row or begins another page. */
const LENGTHS = [0, 1, 30, 300, 900, 1_000, 3_000, 4_080, 9_000, 40_000];
/** Old ones, and as many new ones: each length five times in each place. */
const RECORDS = 150;

/** Texts of every length, in the prompt, the answer or the message of an error. */
const recordsOf = (canary: string, count: number, fromMs: number) =>
  Array.from({ length: count }, (_, n) => {
    const text = canary + "é".repeat((LENGTHS[n % LENGTHS.length] ?? 0) / 2);
    return recordOf(
      fromMs + n,
      n % 3 === 0
        ? { prompt: text.slice(0, 10_000), response: null }
        : n % 3 === 1
          ? { prompt: null, response: text }
          : { status: "error", failed_at: "ollama", error_message: text.slice(0, 2_000) },
      n,
    );
  });

/** A batch of one record. */
function add(ledger: Ledger, record: RequestRecord): void {
  ledger.insert(record, NOW);
  ledger.write();
}

async function withLedger(
  work: (parts: {
    storage: DurableObjectStorage;
    ledger: Ledger;
    erasure: Erasure;
    found: (text: string) => number;
    switchOff: () => void;
  }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "erasure-"));
  const storage = storageIn(folder);
  try {
    migrate(storage, 0);
    const kept = { ...RETENTION, textsMs: DAY_MS };
    const pause = () => Promise.resolve();
    const ledger = new Ledger(storage.sql, new Forgotten(storage.sql), pause, kept);
    let isOff = false;
    const erasure = new Erasure(storage, ledger, () => isOff);
    for (const record of [
      ...recordsOf(OLD, RECORDS, NOW - 2 * RETENTION.logsMs),
      ...recordsOf(NEW, RECORDS, NOW - 1_000),
    ])
      storage.transactionSync(() => add(ledger, record));
    const found = (text: string) => occurrencesIn(folder, text);
    const switchOff = () => {
      isOff = true;
    };
    await work({ storage, ledger, erasure, found, switchOff });
  } finally {
    storage.close();
    rmSync(folder, { recursive: true });
  }
}

test("a row that is only deleted leaves its text in the files", () =>
  withLedger(async ({ storage, found }) => {
    storage.sql.exec("DELETE FROM ledger_pages");
    expect(found(OLD)).toBeGreaterThan(0);
  }));

test("an expired text is in no file, while newer ones stay", () =>
  withLedger(async ({ storage, ledger, erasure, found }) => {
    while (storage.transactionSync(() => ledger.forgetSlice(NOW, 0, null)) > 0);
    expect(erasure.isDue).toBe(true);
    await erasure.run();
    expect([found(OLD), found(NEW) > 0, erasure.isDue]).toEqual([0, true, false]);
    expect((await ledger.page({ limit: 1_000 })).total).toBe(RECORDS);
  }));

test("a text whose own retention is over is in no file, while its record and newer texts stay", () =>
  withLedger(async ({ storage, ledger, erasure, found }) => {
    while (storage.transactionSync(() => ledger.texts.eraseSlice(NOW, null)));
    await erasure.run();
    expect([found(OLD), found(NEW) > 0]).toEqual([0, true]);
    const { logs, total } = await ledger.page({ limit: 1_000 });
    const withText = logs.filter(({ prompt, response }) => prompt !== null || response !== null);
    expect([total, withText.length]).toEqual([2 * RECORDS, RECORDS]);
    expect(logs.filter(({ error_message }) => error_message?.includes("not kept"))).not.toEqual([]);
    // A page with both loses only the old texts: NEW began a second ago.
    expect(ledger.texts.dueMs(NOW)).toBe(NOW - 1_000 + DAY_MS);
    expect(storage.transactionSync(() => ledger.texts.eraseSlice(NOW, null))).toBe(false);
    while (storage.transactionSync(() => ledger.texts.eraseSlice(NOW + 2 * DAY_MS, null)));
    expect(ledger.texts.dueMs(NOW + 2 * DAY_MS)).toBe(null);
  }));

test("a text that a store has not received stays", () =>
  withLedger(async ({ storage, ledger, found }) => {
    const held = idFloor(NOW - 3 * RETENTION.logsMs);
    expect(storage.transactionSync(() => ledger.texts.eraseSlice(NOW, held))).toBe(false);
    expect(found(OLD)).toBeGreaterThan(0);
  }));

test("after a clear no text is in any file", () =>
  withLedger(async ({ storage, ledger, erasure, found }) => {
    storage.transactionSync(() => ledger.clear());
    await erasure.run();
    expect([found(OLD), found(NEW)]).toEqual([0, 0]);
  }));

test("switching text off leaves every row and no text, in the ledger or any file", () =>
  withLedger(async ({ ledger, erasure, found, switchOff }) => {
    expect(erasure.isDue).toBe(false);
    switchOff();
    expect(erasure.isDue).toBe(true);
    await erasure.run();
    const { logs, total } = await ledger.page({ limit: 1_000 });
    expect([found(OLD), found(NEW), total, erasure.isDue]).toEqual([0, 0, 2 * RECORDS, false]);
    expect(new Set(logs.map(({ prompt, response }) => prompt ?? response))).toEqual(
      new Set([null]),
    );
    expect(new Set(logs.map(({ error_message }) => error_message))).toEqual(
      new Set([null, "ollama_error: The message is not stored because LOG_CONTENT is off."]),
    );
  }));

test("texts that are stored after a switch are erased by the next one", () =>
  withLedger(async ({ storage, ledger, erasure, found, switchOff }) => {
    switchOff();
    await erasure.run();
    add(ledger, recordOf(NOW, { prompt: "canary-of-a-later-text" }, 999));
    erasure.noteTexts();
    const restarted = new Erasure(storage, ledger, () => true);
    expect(restarted.isDue).toBe(true);
    await restarted.run();
    expect([found("canary-of-a-later-text"), restarted.isDue]).toEqual([0, false]);
  }));

test("a record that is completed leaves its text only in its row", () =>
  withLedger(async ({ storage, ledger, erasure, found }) => {
    const text = "canary-of-a-completed-text";
    const lost = { status: "error", failed_at: "tunnel", http_status: 502 } as const;
    const record = recordOf(NOW, { ...lost, latency_ms: 5, prompt: text + "x".repeat(9_000) }, 999);
    storage.transactionSync(() => add(ledger, record));
    storage.transactionSync(() => ledger.complete({ ...record, latency_ms: 1_234.5 }));
    expect((await ledger.page({ limit: 1, id: record.request_id })).logs).toMatchObject([
      { latency_ms: 1_234.5, prompt: record.prompt },
    ]);
    await erasure.run();
    expect(found(text)).toBe(1);
  }));
