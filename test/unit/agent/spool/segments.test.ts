/** The spool's segment files: their size, their deletion, and what is lost with one. */
import { randomUUID } from "node:crypto";
import { statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  FRAME_BYTES_MAX,
  PROMPT_CHARS_MAX,
  RESPONSE_CHARS_MAX,
} from "../../../../protocol/limits.ts";
import { finished, opened } from "../../../support/spool-requests.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { idsOf, newSpool, segmentsIn } from "./scene.ts";

test("rotates segments and deletes a confirmed one, but keeps its open request and its ids", async () => {
  const { spool, folder } = newSpool();
  const pinned = randomUUID();
  spool.begin(opened(pinned));
  const ids = Array.from({ length: 300 }, () => randomUUID());
  for (const id of ids) {
    spool.begin(opened(id));
    spool.finish(finished(id, "x".repeat(RESPONSE_CHARS_MAX)));
  }
  expect(segmentsIn(folder).length).toBeGreaterThan(3);
  for (const name of segmentsIn(folder))
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(4 * 1024 * 1024);
  const delivered: string[] = [];
  for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
    expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThanOrEqual(FRAME_BYTES_MAX);
    delivered.push(...batch.records.map((record) => record.request_id));
    spool.confirm(batch.position);
  }
  expect(delivered).toEqual(ids);
  await waitFor(() => expect(segmentsIn(folder)).toHaveLength(1));
  spool.close();
  const next = newSpool({ folder }).spool;
  expect(idsOf(next)).toEqual([pinned]);
  expect(ids.every((id) => next.knows(id))).toBe(true);
});

test("reads a segment once to move the open requests out of it, however many there are", () => {
  const { spool, disk, folder } = newSpool();
  const open = Array.from({ length: 1_000 }, () => randomUUID());
  for (const id of open) spool.begin(opened(id));
  while (segmentsIn(folder).length < 2)
    spool.finish(finished(randomUUID(), "x".repeat(RESPONSE_CHARS_MAX)));
  const reads: number[] = [];
  for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
    disk.reads = 0;
    spool.confirm(batch.position);
    reads.push(disk.reads);
  }
  // 4 MiB in reads of 256 KiB.
  expect(Math.max(...reads)).toBeLessThanOrEqual(17);
  expect(Math.max(...reads)).toBeGreaterThan(0);
  const later = newSpool({ folder }).spool;
  expect(idsOf(later)).toEqual(open);
});

test("fits one record of the largest size into a frame", () => {
  const { spool } = newSpool();
  const id = randomUUID();
  const worst = {
    ...finished(id, "\u0001".repeat(RESPONSE_CHARS_MAX)),
    prompt: "\u0001".repeat(PROMPT_CHARS_MAX),
  };
  spool.finish(worst);
  spool.finish({ ...worst, request_id: randomUUID() });
  spool.finish({ ...worst, request_id: randomUUID() });
  const batch = spool.next(200);
  expect(batch?.records.length).toBeGreaterThan(0);
  expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThanOrEqual(FRAME_BYTES_MAX);
});

test("counts the records of a vanished segment as lost and delivers the others", () => {
  const { spool, folder, events } = newSpool();
  const ids = Array.from({ length: 100 }, () => randomUUID());
  for (const id of ids) spool.finish(finished(id, "x".repeat(RESPONSE_CHARS_MAX)));
  unlinkSync(join(folder, "000001.log"));
  const rest: string[] = [];
  for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
    rest.push(...batch.records.map((record) => record.request_id));
    spool.confirm(batch.position);
  }
  expect(rest).toEqual(ids.slice(-rest.length));
  expect(rest.length).toBeGreaterThan(0);
  expect([spool.lost, spool.pending]).toEqual([ids.length - rest.length, 0]);
  expect(events).toContain("spool_segment_unreadable");
});
