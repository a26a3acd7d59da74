/** The spool on a disk that works. */
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { expect, test } from "vitest";
import { Records } from "../../../../protocol/messages.ts";
import { finished, opened } from "../../../support/spool-requests.ts";
import { idsOf, newSpool, textIn } from "./scene.ts";

test("returns the record of a finished request until the edge confirms it", () => {
  const { spool } = newSpool();
  const id = randomUUID();
  expect(spool.begin(opened(id))).toBe(true);
  expect([spool.pending, spool.next(10)]).toEqual([0, null]);
  spool.finish(finished(id));
  const batch = spool.next(10);
  expect(Records.parse(batch).records).toEqual([finished(id)]);
  expect(spool.next(10)).toEqual(batch);
  expect(spool.pending).toBe(1);
  spool.confirm(batch?.position ?? 0);
  expect([spool.pending, spool.next(10)]).toEqual([0, null]);
  spool.close();
});

test("ends a batch before a record that is not ready, and sends that one with the next batch", () => {
  const { spool } = newSpool();
  const ids = [randomUUID(), randomUUID(), randomUUID()];
  for (const id of ids) spool.finish(finished(id));
  const waiting = new Set<string | undefined>([ids[1]]);
  const idsOfBatch = () =>
    spool.next(10, (id) => !waiting.has(id))?.records.map(({ request_id }) => request_id);
  expect(idsOfBatch()).toEqual([ids[0]]);
  spool.confirm(spool.next(10, (id) => !waiting.has(id))?.position ?? 0);
  expect([idsOfBatch(), spool.pending]).toEqual([undefined, 2]);
  waiting.clear();
  expect(idsOfBatch()).toEqual([ids[1], ids[2]]);
});

test("begins a request once and finishes it once", () => {
  const { spool, events } = newSpool();
  const id = randomUUID();
  spool.begin(opened(id));
  expect(spool.begin(opened(id))).toBe(false);
  spool.finish(finished(id));
  spool.finish(finished(id));
  expect(spool.begin(opened(id))).toBe(false);
  expect(idsOf(spool)).toEqual([id]);
  expect(events).toEqual(["spool_finished_twice"]);
});

test("keeps the record of a request that was refused before it began", () => {
  const { spool } = newSpool();
  const id = randomUUID();
  spool.finish(finished(id));
  expect(idsOf(spool)).toEqual([id]);
  expect(spool.knows(id)).toBe(true);
});

test("replaces an invalid record by an error record", () => {
  const { spool, events } = newSpool();
  const id = randomUUID();
  spool.begin(opened(id));
  spool.finish({ ...finished(id), latency_ms: Number.NaN });
  expect(spool.next(10)?.records).toMatchObject([
    { request_id: id, status: "error", error_message: expect.stringContaining("latency_ms") },
  ]);
  expect([events, spool.lost]).toEqual([["spool_record_refused"], 0]);
});

test("writes no text of a request that must not be kept, and never its headers", () => {
  const { spool, folder } = newSpool();
  const entry = opened(randomUUID(), "canary");
  spool.begin({ ...entry, open: { ...entry.open, keep_text: false } });
  spool.close();
  expect(textIn(folder)).not.toMatch(/canary|never stored/);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});
