/** Delivered requests leave no text on the disk. */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { RESPONSE_CHARS_MAX } from "../../../../protocol/limits.ts";
import { finished, opened } from "../../../support/spool-requests.ts";
import { idsOf, newFolder, newSpool, segmentsIn, textIn } from "./scene.ts";

test("scrubs delivered requests within seconds, and keeps those that are open or not delivered", async () => {
  const { spool, folder, events } = newSpool();
  const [open, delivered, waiting] = [randomUUID(), randomUUID(), randomUUID()];
  spool.begin(opened(open, "kept question"));
  spool.begin(opened(delivered, "canary question"));
  spool.finish({ ...finished(delivered, "canary ünswer"), error_message: "canary error" });
  spool.begin(opened(waiting, "waiting question"));
  const { position = 0 } = spool.next(10) ?? {};
  spool.finish(finished(waiting, "waiting answer"));
  spool.confirm(position);
  await vi.waitFor(() => expect(textIn(folder)).not.toMatch(/canary|ünswer/), 5_000);
  expect(textIn(folder)).toMatch(/kept question[\s\S]*waiting question[\s\S]*waiting answer/);
  expect([idsOf(spool), spool.knows(delivered), events]).toEqual([[waiting], true, []]);

  spool.finish(finished(open, "canary at last"));
  spool.confirm(spool.next(10)?.position ?? 0);
  spool.close();
  expect(textIn(folder)).not.toMatch(/canary|question|answer/);
  const next = newSpool({ folder });
  expect([idsOf(next.spool), next.events]).toEqual([[], []]);
  for (const id of [open, delivered, waiting]) expect(next.spool.knows(id)).toBe(true);
});

test("delivers the same records after a crash between two scrubbed ones", () => {
  const { spool, folder, crash } = newSpool();
  const ids = Array.from({ length: 4 }, () => randomUUID());
  for (const id of ids) {
    spool.begin(opened(id));
    spool.finish(finished(id));
  }
  spool.confirm(spool.next(2)?.position ?? 0);
  spool.close();
  crash();
  expect(textIn(folder).match(/"t":"gone"/g)).toHaveLength(4); // two beginnings, two ends
  const next = newSpool({ folder });
  expect(idsOf(next.spool)).toEqual(ids.slice(2));
  expect([next.events, next.spool.pending]).toEqual([[], 2]);
});

test("overwrites a segment before it is deleted", async () => {
  const folder = newFolder();
  const { spool } = newSpool({ folder });
  const watched = `${folder}-watched`;
  for (let n = 0; n < 100; n++) {
    const id = randomUUID();
    spool.begin(opened(id, "canary"));
    spool.finish(finished(id, "canary".repeat(RESPONSE_CHARS_MAX / 6)));
  }
  const [first = ""] = segmentsIn(folder);
  linkSync(join(folder, first), watched); // shows the bytes that the deleted name leaves on the disk
  for (let batch = spool.next(200); batch !== null; batch = spool.next(200))
    spool.confirm(batch.position);
  await vi.waitFor(() => expect(segmentsIn(folder)).not.toContain(first), 5_000);
  const left = readFileSync(watched);
  expect(left.length).toBeGreaterThan(1_000_000);
  expect(left.every((byte) => byte === 0)).toBe(true);
  spool.close();
});
