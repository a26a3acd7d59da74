/** Batches that have no row in the outbox reach the stores exactly once, whenever the edge is killed. */
import { expect, inject, test } from "vitest";
import { DAY_MS } from "../../protocol/day.ts";
import { gpuOf, recordOf } from "../support/records.ts";
import {
  both,
  expectStored,
  healthOf,
  NAMES,
  NOW,
  requestAt,
  requests,
  stores,
  useFreshStores,
} from "./delivered.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { faults, statements, storesIn } from "./fresh-stores.ts";

useFreshStores();

const again = () => Object.values(storesIn(stores.settings));
const rowsIn = (storage: DurableObjectStorage) =>
  storage.sql.exec("SELECT seq FROM outbox").toArray().length;
const stateIn = (storage: DurableObjectStorage) =>
  JSON.stringify(storage.sql.exec("SELECT state FROM sinks").toArray());

/** Adds a batch a second later, with a request of that time. */
function addNext(edge: Edge, count = 1): void {
  edge.nowMs += 1_000;
  edge.add(Array.from({ length: count }, () => requestAt(edge.nowMs - 500)));
}

test("a batch that a store takes at once takes no row of the outbox and no change of its state", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    addNext(edge, 3);
    await edge.flush();
    const before = stateIn(storage);
    for (let n = 1; n < 20; n++) {
      addNext(edge, 3);
      expect(rowsIn(storage)).toBe(0);
      await edge.flush();
    }
    expect(stateIn(storage)).toBe(before);
    expect(edge.backlogs()).toEqual([0, 0]);
    for (const name of NAMES) {
      await expectStored(name, 60);
      expect(healthOf(edge, name)).toMatchObject({ delivered: 60 });
    }
  });
});

test("deliveries in memory are stored after two hundred, and after half an hour", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [stores.postgres], NOW);
    addNext(edge);
    await edge.flush();
    const before = stateIn(storage);
    for (let n = 0; n < 200; n++) {
      expect(stateIn(storage)).toBe(before);
      addNext(edge);
      await edge.flush();
    }
    const stored = stateIn(storage);
    expect(stored).not.toBe(before);
    addNext(edge);
    await edge.flush();
    expect(stateIn(storage)).toBe(stored);
    expect(edge.deliveries.checkpointDueMs()).toBe(edge.nowMs + 1_800_000);
    edge.nowMs += 1_800_000;
    await edge.flush();
    expect(edge.deliveries.checkpointDueMs()).toBeNull();
    const later = new Edge(storage, again().slice(1), edge.nowMs);
    expect(healthOf(later, "postgres")).toMatchObject({ backlog: 0, delivered: 202 });
  });
});

test("a delivery after a pause is stored at once, so that no start sends it again", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    for (let n = 0; n < 3; n++) {
      edge.nowMs += 90_000;
      addNext(edge);
      await edge.flush();
      expect(new Edge(storage, again(), edge.nowMs).backlogs()).toEqual([0, 0]);
      expect(edge.deliveries.checkpointDueMs()).toBeNull();
    }
  });
});

test("the edge sends what it delivered since then again after a crash, and no store counts it twice", async () => {
  await onFreshStorage(async (storage) => {
    let edge = new Edge(storage, both(), NOW);
    const rounds = inject("rounds");
    for (let round = 0; round < rounds; round++) {
      for (let n = 0; n < 4; n++) {
        addNext(edge, 1 + (n % 2));
        if (n !== 3 || round % 2 === 0) await edge.flush();
        // Its row comes between batches that have none.
        if (n === 1) edge.addSamples("atlas", [gpuOf("atlas", edge.nowMs)]);
      }
      edge = new Edge(storage, again(), edge.nowMs);
      // New records wait behind those that may have been sent.
      addNext(edge);
      addNext(edge);
      await edge.drain();
    }
    for (const name of NAMES) {
      await expectStored(name, 8 * rounds);
      const [row] = await stores.ask[name]("SELECT count(*) AS n FROM gpu_samples");
      expect(Number(row?.n), name).toBe(rounds);
    }
    // Each start stores what it sent again, so the next one does not.
    expect(new Edge(storage, again(), edge.nowMs).backlogs()).toEqual([0, 0]);
  });
}, 600_000);

test("entries become rows while a store is down, which the other store gets once across crashes", async () => {
  await onFreshStorage(async (storage) => {
    let edge = new Edge(storage, both(), NOW);
    await faults("postgres", [{ times: 1_000_000, status: 502 }]);
    let added = 0;
    for (; added < 650; added++) {
      addNext(edge);
      if (added % 10 < 3) await edge.flush();
      if (added % 110 === 109) edge = new Edge(storage, again(), edge.nowMs);
    }
    expect(rowsIn(storage)).toBeGreaterThan(400);
    await edge.flush();
    expect(edge.backlogs()).toEqual([0, added]);
    await expectStored("clickhouse", added);
    await faults("postgres", []);
    edge = new Edge(storage, again(), edge.nowMs + DAY_MS);
    await edge.drain();
    for (const name of NAMES) await expectStored(name, added);
    expect(rowsIn(storage)).toBe(0);
  });
});

test("a batch that a start would not find makes a row, and so does what waits before it", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    addNext(edge);
    await edge.flush();
    edge.deliveries.checkpoint();
    addNext(edge);
    // An agent was away for an hour.
    edge.nowMs += 1_000;
    edge.add([requestAt(NOW - 3_600_000), requestAt(NOW)]);
    expect(rowsIn(storage)).toBe(2);
    addNext(edge);
    expect(rowsIn(storage)).toBe(2);
    const later = new Edge(storage, again(), edge.nowMs);
    expect(later.backlogs()).toEqual([4, 4]);
    await later.drain();
    for (const name of NAMES) await expectStored(name, 5);
  });
});

test("a record that is held back is delivered once, though its row has the stamp of its batch", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    addNext(edge);
    edge.nowMs += 1_000;
    const cut = { status: "error", failed_at: "tunnel", http_status: 502 } as const;
    const interrupted = recordOf(edge.nowMs - 500, cut, 900_000);
    edge.add([interrupted, requestAt(edge.nowMs - 500)], true);
    await edge.flush();
    let later = new Edge(storage, again(), edge.nowMs);
    await later.flush();
    later.complete({ ...interrupted, http_status: 200 });
    later = new Edge(storage, again(), edge.nowMs);
    await later.drain();
    later = new Edge(storage, again(), edge.nowMs);
    expect(later.backlogs()).toEqual([0, 0]);
    for (const name of NAMES) await expectStored(name, 3);
  });
});

test("rows that an older version left in the outbox are delivered before new batches", async () => {
  await onFreshStorage(async (storage) => {
    const old = new Edge(storage, [stores.postgres], NOW);
    addNext(old);
    const [entry] = storage.sql.exec("SELECT hex(ids) AS ids FROM outbox").toArray();
    expect(entry).toBeUndefined();
    // As it was stored then: an entry with a small number, and nothing about a tail.
    const hex = String(old.ledger.ids()[0]).replaceAll("-", "");
    storage.sql.exec(
      `INSERT INTO outbox (seq, kind, items, ids) VALUES (7, 'requests', 1, x'${hex}')`,
    );
    storage.sql.exec("DELETE FROM meta WHERE key = 'outbox_before_tail'");
    storage.sql.exec(
      "UPDATE sinks SET state = json_remove(json_set(state, '$.cursor.seq', 7), '$.alone_before')",
    );
    const edge = new Edge(storage, again().slice(1), old.nowMs);
    addNext(edge);
    expect(edge.backlogs()).toEqual([2]);
    expect(rowsIn(storage)).toBe(1);
    await edge.drain();
    await expectStored("postgres", 2);
    expect(rowsIn(storage)).toBe(0);
  });
});

test("a ledger row stays until its delivery is stored", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [stores.clickhouse], NOW);
    for (let n = 0; n < 2; n++) {
      addNext(edge);
      await edge.flush();
    }
    expect(edge.outbox.held().requestId).not.toBeNull();
    edge.deliveries.checkpoint();
    expect(edge.outbox.held().requestId).toBeNull();
  });
});

test("a start sends each batch that may have been sent as it was, not with others", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [stores.clickhouse], NOW);
    for (let n = 0; n < 5; n++) {
      addNext(edge, 2);
      await edge.flush();
    }
    addNext(edge);
    await faults("clickhouse", []);
    const later = new Edge(storage, again().slice(0, 1), edge.nowMs);
    await later.drain();
    const inserts = (await statements("clickhouse")).filter((text) => /INSERT/.test(text));
    // The first one was stored at once; the last one never left.
    expect(inserts).toHaveLength(5);
    await expectStored("clickhouse", 11);
  });
});

test("a batch that was rolled back leaves nothing in the outbox", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    addNext(edge);
    const broken = requests(1);
    storage.sql.exec(
      "CREATE TRIGGER full BEFORE INSERT ON held_requests BEGIN SELECT RAISE(FAIL, 'full'); END",
    );
    const cut = { status: "error", failed_at: "tunnel" } as const;
    edge.nowMs += 1_000;
    expect(() => edge.add([...broken, ...requests(1, cut)], true)).toThrow("full");
    storage.sql.exec("DROP TRIGGER full");
    expect(edge.backlogs()).toEqual([1, 1]);
    edge.add(broken);
    await edge.drain();
    for (const name of NAMES) await expectStored(name, 2);
  });
});
