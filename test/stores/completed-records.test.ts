/** A record that the edge completes reaches the stores complete, and once. */
import { expect, test } from "vitest";
import { HELD_MS } from "../../worker/export/held-requests.ts";
import { recordOf } from "../support/records.ts";
import { both, NAMES, NOW, stores, useFreshStores } from "./delivered.ts";
import { Edge, onFreshStorage } from "./edge.ts";

useFreshStores();

const TABLES = { clickhouse: "requests", postgres: "request_logs" } as const;

const interrupted = recordOf(NOW - 10_000, {
  status: "error",
  failed_at: "tunnel",
  http_status: 502,
  latency_ms: 4_000,
});
const completed = { ...interrupted, http_status: 200, latency_ms: 9_000 };

/** The status and latency of the rows in each store, and the errors in its sums. */
async function delivered() {
  return Promise.all(
    NAMES.map(async (name) => {
      const rows = await stores.ask[name](`SELECT http_status, latency_ms FROM ${TABLES[name]}`);
      const minutes = name === "clickhouse" ? "requests_minutes" : "request_minutes";
      const [sum] = await stores.ask[name](`SELECT sum(errors) AS errors FROM ${minutes}`);
      return [
        ...rows.map((row) => [Number(row.http_status), Number(row.latency_ms)]),
        Number(sum?.errors),
      ];
    }),
  );
}

test("holds the record of a killed agent back until the edge completed it", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.add([interrupted], true);
    await edge.flush();
    edge.held.releaseDue(NOW + 4 * 60_000); // the caller reads slowly
    await edge.flush();
    expect(await delivered()).toEqual([[0], [0]]);
    edge.complete(completed);
    expect(edge.held.dueMs()).toBeNull();
    await edge.flush();
    expect(await delivered()).toEqual([
      [[200, 9_000], 1],
      [[200, 9_000], 1],
    ]);
  });
});

test("delivers it as it is if nobody completes it, also after a restart of the edge", async () => {
  await onFreshStorage(async (storage) => {
    new Edge(storage, both(), NOW).add([interrupted], true);
    const edge = new Edge(storage, both(), NOW);
    expect(edge.held.dueMs()).toBe(NOW + HELD_MS);
    edge.held.releaseDue(NOW + HELD_MS - 1);
    await edge.flush();
    expect(await delivered()).toEqual([[0], [0]]);
    edge.held.releaseDue(NOW + HELD_MS);
    await edge.flush();
    expect(await delivered()).toEqual([
      [[502, 4_000], 1],
      [[502, 4_000], 1],
    ]);
    edge.complete(completed); // too late for the stores, but not for the ledger
    await edge.flush();
    expect((await delivered()).flat(2)).not.toContain(200);
  });
});

test("holds back no record of the edge, and nothing without an external store", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.add([interrupted]);
    expect([edge.held.dueMs(), edge.backlogs()]).toEqual([null, [1, 1]]);
  });
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [], NOW);
    edge.add([interrupted], true);
    expect(edge.held.dueMs()).toBeNull();
  });
});
