/** The spool on a disk that is full or fails. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { finished, opened } from "../../../support/spool-requests.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { idsOf, mountsTmpfs, newSpool, tmpfs } from "./scene.ts";

test("delivers records from memory while the disk fails, and writes them when it works again", async () => {
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
  await waitFor(() => expect(events).toContain("spool_disk_back"));
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

test("drops and counts the oldest records beyond 10,000 while the disk fails", () => {
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
test.skipIf(!canMount)("loses no request on a full tmpfs", async () => {
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
  await waitFor(() => expect(events).toContain("spool_disk_back"));
  spool.close();
  const next = newSpool({ folder: join(mount.folder, "spool") }).spool;
  expect([next.next(10), next.pending]).toEqual([null, 0]);
  expect(ids.every((id) => next.knows(id))).toBe(true);
  next.close();
});
