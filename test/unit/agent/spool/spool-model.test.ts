/** The spool under random kills, random sequences of calls, and a day without the edge. */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { finished, opened } from "../../../support/spool-requests.ts";
import { heapBytes, linesUntilKilled, NOW, newFolder, newSpool } from "./scene.ts";

test("ends each request in exactly one record when its process is killed at random points", async () => {
  const folder = newFolder();
  const [willBegin, begun, done, confirmed] = [
    new Set<string>(),
    new Set<string>(),
    new Set<string>(),
    new Set<string>(),
  ];
  const outcome = new Map<string, string>();
  const deliver = (id: string, status: string) => {
    // The edge keeps the first; a second one must be the same.
    expect(outcome.get(id) ?? status).toBe(status);
    outcome.set(id, status);
  };
  for (let round = 1; round <= 20; round++) {
    for (const line of await linesUntilKilled(folder, round)) {
      const [kind, id = "", status = ""] = line.split(" ");
      if (kind === "+") willBegin.add(id);
      if (kind === "b") begun.add(id);
      if (kind === "f") done.add(id);
      if (kind === "d") deliver(id, status);
      if (kind === "c") confirmed.add(id);
    }
  }
  const { spool } = newSpool({ folder });
  for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
    for (const record of batch.records) deliver(record.request_id, record.status);
    spool.confirm(batch.position);
  }
  expect(begun.size).toBeGreaterThan(200);
  expect(confirmed.size).toBeGreaterThan(0);
  expect([...begun].filter((id) => !outcome.has(id))).toEqual([]);
  expect([...done].filter((id) => outcome.get(id) !== "success")).toEqual([]);
  expect([...outcome.keys()].filter((id) => !willBegin.has(id))).toEqual([]);
  expect([...outcome.values()].filter((status) => status === "error").length).toBeGreaterThan(0);
});

test("agrees with the model after any sequence of calls, crashes and disk failures", () => {
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.constant("begin" as const) },
    { weight: 6, arbitrary: fc.constant("finish" as const) },
    { weight: 2, arbitrary: fc.constant("confirm" as const) },
    { weight: 1, arbitrary: fc.constant("confirm a part" as const) },
    { weight: 1, arbitrary: fc.constant("restart" as const) },
    { weight: 1, arbitrary: fc.constant("crash" as const) },
    { weight: 1, arbitrary: fc.constant("disk" as const) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const folder = newFolder();
      let clock = NOW;
      let run = newSpool({ folder, now: () => clock++ });
      let open: string[] = [];
      let waiting: { id: string; status: string }[] = [];
      const confirmed: { id: string; status: string }[] = [];
      const known: string[] = [];
      const restart = () => {
        run = newSpool({ folder, now: () => clock++ });
        waiting.push(...open.map((id) => ({ id, status: "error" })));
        open = [];
      };
      for (const step of operations) {
        if (step === "begin") {
          const id = randomUUID();
          run.spool.begin(opened(id));
          open.push(id);
          known.push(id);
        }
        if (step === "finish") {
          const id = open.shift();
          if (id === undefined) continue;
          run.spool.finish(finished(id));
          waiting.push({ id, status: "success" });
        }
        if (step === "confirm" || step === "confirm a part") {
          const batch = run.spool.next(step === "confirm" ? 100 : 1);
          if (batch !== null) run.spool.confirm(batch.position);
          confirmed.push(...waiting.splice(0, batch?.records.length ?? 0));
        }
        if (step === "disk") run.disk.isFull = !run.disk.isFull;
        // A crash while the disk is full loses what only memory held; see the doc comment of
        // spool.ts.
        if (step === "crash" && !run.disk.hasFailed) {
          run.crash();
          restart();
          // The latest confirmed records may be returned again, in their place before the others.
          const again = (run.spool.next(1_000)?.records.length ?? 0) - waiting.length;
          waiting = [...confirmed.slice(confirmed.length - again), ...waiting];
        }
        if (step === "restart") {
          run.disk.isFull = false;
          run.spool.close();
          restart();
        }
        const records = run.spool.next(1_000)?.records ?? [];
        expect(records.map(({ request_id, status }) => ({ id: request_id, status }))).toEqual(
          waiting,
        );
        expect([run.spool.pending, run.spool.lost]).toEqual([waiting.length, 0]);
        expect(known.every((id) => run.spool.knows(id))).toBe(true);
      }
      run.crash();
      rmSync(folder, { recursive: true });
    }),
    { numRuns: 60 },
  );
});

test("keeps a day without the edge on the disk, at one request a second", () => {
  const { spool, folder } = newSpool();
  const response = "x".repeat(200);
  const heapBefore = heapBytes();
  // A tenth of a day, to keep the test short; the figures scale.
  const requests = 8_640;
  for (let n = 0; n < requests; n++) {
    const id = randomUUID();
    spool.begin(opened(id));
    spool.finish(finished(id, response));
  }
  const perRequest = (heapBytes() - heapBefore) / requests;
  expect(perRequest).toBeLessThan(300);
  expect(spool.pending).toBe(requests);
  spool.close();
  const next = newSpool({ folder }).spool;
  expect(next.pending).toBe(requests);
  next.close();
  rmSync(folder, { recursive: true });
});
