/** The files of the spool: segments, ids that are remembered, disks that are full. */
import { randomUUID } from "node:crypto";
import { statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { IDS_MAX, SpoolIds } from "../../../../agent/spool/ids.ts";
import {
  FRAME_BYTES_MAX,
  PROMPT_CHARS_MAX,
  RESPONSE_CHARS_MAX,
} from "../../../../protocol/limits.ts";
import { finished, opened } from "../../../support/spool-requests.ts";
import { idsOf, mountsTmpfs, newSpool, segmentsIn, tmpfs } from "./scene.ts";

describe("segments", () => {
  test("are rotated, read across, and deleted when all in them is confirmed; an open request and the ids survive", async () => {
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
    await vi.waitFor(() => expect(segmentsIn(folder)).toHaveLength(1));
    spool.close();
    const next = newSpool({ folder }).spool;
    expect(idsOf(next)).toEqual([pinned]);
    expect(ids.every((id) => next.knows(id))).toBe(true);
  });

  test("one record of the largest size fits into a frame", () => {
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

  test("one that vanished is counted as lost, and the others get through", () => {
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
});

describe("the ids", () => {
  test("all open and unconfirmed ones are known, and the newest others", () => {
    const ids = new SpoolIds();
    ids.begin("long", 0);
    for (let n = 1; n <= 3 * IDS_MAX; n++) {
      ids.begin(`id-${n}`, n - 1);
      ids.finish(`id-${n}`, n);
    }
    expect([ids.has("long"), ids.has("id-1"), ids.has(`id-${2 * IDS_MAX + 10}`)]).toEqual([
      true,
      false,
      true,
    ]);
    expect(ids.over(Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(IDS_MAX);
    for (let n = 0; n < 2 * IDS_MAX; n++) ids.begin(`open-${n}`, 0);
    expect(ids.has("open-0")).toBe(true);
  });
});

describe("a disk that fails", () => {
  test("records go on to the edge from memory, and to the disk when it is back", async () => {
    const { spool, folder, disk, events } = newSpool();
    const [before, open, during, confirmed] = [
      randomUUID(),
      randomUUID(),
      randomUUID(),
      randomUUID(),
    ];
    spool.begin(opened(before));
    disk.isFull = true;
    for (const id of [open, during, confirmed]) spool.begin(opened(id));
    spool.finish(finished(confirmed));
    spool.confirm(spool.next(10)?.position ?? 0);
    spool.finish(finished(before));
    spool.finish(finished(during));
    expect([idsOf(spool), spool.pending]).toEqual([[before, during], 2]);
    expect(events).toEqual(["spool_disk_failed"]);
    disk.isFull = false;
    await vi.waitFor(() => expect(events).toContain("spool_disk_back"));
    expect([idsOf(spool), spool.pending, spool.lost]).toEqual([[before, during], 2, 0]);
    spool.close();
    const next = newSpool({ folder }).spool;
    expect(next.next(10)?.records.map(({ request_id, status }) => [request_id, status])).toEqual([
      [before, "success"],
      [during, "success"],
      [open, "error"],
    ]);
    expect(next.knows(confirmed)).toBe(true);
  });

  test("past 10,000 records the oldest are lost, and counted", () => {
    const { spool, disk } = newSpool();
    disk.isFull = true;
    const ids = Array.from({ length: 10_003 }, () => randomUUID());
    for (const id of ids) spool.finish(finished(id, null));
    expect([spool.lost, spool.pending]).toEqual([3, 10_000]);
    expect(spool.next(1)?.records[0]?.request_id).toBe(ids[3]);
    spool.confirm(spool.next(1)?.position ?? 0);
    expect(spool.pending).toBe(9_999);
  });

  const canMount = process.platform === "linux" && mountsTmpfs();
  test.skipIf(!canMount)("a full tmpfs", async () => {
    await using mount = tmpfs("256k");
    const { spool, events } = newSpool({ folder: join(mount.folder, "spool"), onRealDisk: true });
    const ids = Array.from({ length: 400 }, () => randomUUID());
    for (const id of ids) {
      expect(spool.begin(opened(id))).toBe(true);
      spool.finish(finished(id, "x".repeat(1_000)));
    }
    expect(events).toContain("spool_disk_failed");
    expect([spool.pending, spool.lost]).toEqual([400, 0]);
    const delivered: string[] = [];
    for (let batch = spool.next(50); batch !== null; batch = spool.next(50)) {
      delivered.push(...batch.records.map((record) => record.request_id));
      spool.confirm(batch.position);
    }
    expect(delivered).toEqual(ids);
    mount.grow("8m");
    await vi.waitFor(() => expect(events).toContain("spool_disk_back"));
    spool.close();
    const next = newSpool({ folder: join(mount.folder, "spool") }).spool;
    expect([next.next(10), next.pending]).toEqual([null, 0]);
    expect(ids.every((id) => next.knows(id))).toBe(true);
    next.close();
  });
});
