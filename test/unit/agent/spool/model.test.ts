/** The spool against chance: killed anywhere, driven by any sequence of calls, for a day. */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { finished, opened } from "../../../support/spool-requests.ts";
import { heapBytes, linesUntilKilled, NOW, newFolder, newSpool } from "./scene.ts";

test("killed at random points, each request ends in exactly one record", {
  timeout: 120_000,
}, async () => {
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
      const [what, id = "", status = ""] = line.split(" ");
      if (what === "+") willBegin.add(id);
      if (what === "b") begun.add(id);
      if (what === "f") done.add(id);
      if (what === "d") deliver(id, status);
      if (what === "c") confirmed.add(id);
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

test("any sequence of calls, crashes and disk failures agrees with the model", () => {
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
      for (const what of operations) {
        if (what === "begin") {
          const id = randomUUID();
          run.spool.begin(opened(id));
          open.push(id);
          known.push(id);
        }
        if (what === "finish") {
          const id = open.shift();
          if (id === undefined) continue;
          run.spool.finish(finished(id));
          waiting.push({ id, status: "success" });
        }
        if (what === "confirm" || what === "confirm a part") {
          const batch = run.spool.next(what === "confirm" ? 100 : 1);
          if (batch !== null) run.spool.confirm(batch.position);
          confirmed.push(...waiting.splice(0, batch?.records.length ?? 0));
        }
        if (what === "disk") run.disk.isFull = !run.disk.isFull;
        // A disk that is full at the moment of a crash takes what only memory had with it: said in the docstring.
        if (what === "crash" && !run.disk.hasFailed) {
          run.crash();
          restart();
          // What was confirmed last may be handed out again, in its place before the rest.
          const again = (run.spool.next(1_000)?.records.length ?? 0) - waiting.length;
          waiting = [...confirmed.slice(confirmed.length - again), ...waiting];
        }
        if (what === "restart") {
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

test("a day without the edge at one request a second stays on the disk", {
  timeout: 60_000,
}, () => {
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
