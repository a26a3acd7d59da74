/** Delivery when data is cleared, and when stores are added to the settings or removed. */
import { expect, test } from "vitest";
import { DAY_MS } from "../../protocol/day.ts";
import { gpuOf, recordOf, systemOf } from "../support/records.ts";
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
import { faults, storesIn } from "./fresh-stores.ts";

useFreshStores();

test.each(NAMES)(
  "data that was cleared while %s was down is deleted there before new rows are written",
  async (name) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(10));
      edge.addSamples("atlas", [gpuOf("atlas", NOW)]);
      await edge.flush();
      edge.add(requests(5));
      await faults(name, [{ times: 1, status: 503 }]);
      edge.clear({ logs: true, metrics: true });
      expect(await edge.deliveries.clear(() => edge.nowMs)).toEqual([
        { store: name, rows: null, error: "answered HTTP 503" },
      ]);
      expect(healthOf(edge, name)).toMatchObject({ clearing: true, backlog: 0 });
      expect(edge.problems(NOW)).toContain(
        `${name} is not cleared yet: the deleted data is still there`,
      );
      edge.nowMs += 60_000;
      const after = requestAt(edge.nowMs);
      edge.add([after]);
      const again = new Edge(storage, [storesIn(stores.settings)[name]], edge.nowMs);
      await again.flush();
      expect(healthOf(again, name)).toMatchObject({ clearing: false, backlog: 0, state: "ok" });
      await expectStored(name, 1);
      expect(await stores.ask[name]("SELECT * FROM gpu_samples")).toEqual([]);
      again.clear({ logs: true, metrics: false });
      expect(await again.deliveries.clear(() => again.nowMs)).toEqual([
        { store: name, rows: { logs: 1, metrics: 0 }, error: null },
      ]);
    });
  },
);

test("clearing while a batch is being sent leaves none of it behind, and new batches have new ids", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.add(requests(10));
    await Promise.all(
      NAMES.map((name) => faults(name, [{ match: "INSERT", times: 1, delayMs: 300 }])),
    );
    const flush = edge.flush();
    await scheduler.wait(100);
    edge.clear({ logs: true, metrics: true });
    const cleared = await edge.deliveries.clear(() => edge.nowMs);
    expect(cleared.map(({ error }) => error)).toEqual([null, null]);
    await flush;
    edge.nowMs += 60_000;
    edge.add([requestAt(edge.nowMs)]);
    await edge.drain();
    for (const name of NAMES) await expectStored(name, 1);
  });
});

test("a store that is configured later gets all stored records in order, and the other store none twice", async () => {
  await onFreshStorage(async (storage) => {
    const none = new Edge(storage, [], NOW);
    none.add(requests(3));
    none.addSamples("atlas", [gpuOf("atlas", NOW)], [systemOf(NOW)]);
    none.nowMs++;
    none.addSamples("atlas", [], [systemOf(NOW + 1)]);
    expect(storage.sql.exec("SELECT * FROM outbox").toArray()).toEqual([]);
    const one = new Edge(storage, [stores.postgres], NOW + 2);
    expect(one.backlogs()).toEqual([6]);
    await one.drain();
    await expectStored("postgres", 3);
    one.deliveries.checkpoint();
    // These wait for Postgres, and therefore for ClickHouse too.
    one.add(requests(4));
    one.addSamples("atlas", [gpuOf("atlas", NOW + 2)]);
    const two = new Edge(storage, both(), NOW + 3);
    expect(two.backlogs()).toEqual([11, 5]);
    await two.drain();
    for (const name of NAMES) {
      await expectStored(name, 7);
      const [samples] = await stores.ask[name](
        "SELECT (SELECT count(*) FROM gpu_samples) AS gpu, (SELECT count(*) FROM system_samples) AS system",
      );
      expect([Number(samples?.gpu), Number(samples?.system)], name).toEqual([2, 2]);
    }
    expect(storage.sql.exec("SELECT * FROM outbox").toArray()).toEqual([]);
    // The next start adds nothing.
    expect(new Edge(storage, both(), NOW + 4).backlogs()).toEqual([0, 0]);
  });
});

test("older records are sent oldest first in bounded batches, even across a restart", async () => {
  await onFreshStorage(async (storage) => {
    const none = new Edge(storage, [], NOW);
    const all = Array.from({ length: 12_000 }, (_, n) => recordOf(NOW - DAY_MS + n * 1_000, {}, n));
    for (let at = 0; at < all.length; at += 4_000) none.add(all.slice(at, at + 4_000).reverse());
    const seen = async () => {
      const [row] = await stores.ask.postgres(
        "SELECT count(*)::int AS n, max(created_at) AS newest FROM request_logs",
      );
      return row;
    };
    await faults("postgres", [
      { match: "INSERT", times: 1 },
      { match: "INSERT", times: 1_000, status: 503 },
    ]);
    const edge = new Edge(storage, [stores.postgres], NOW);
    edge.keepHouse();
    await edge.flush();
    expect(await seen()).toEqual({ n: 5_000, newest: new Date(NOW - DAY_MS + 4_999_000) });
    await faults("postgres", []);
    const again = new Edge(storage, [storesIn(stores.settings).postgres], edge.nowMs + 300_000);
    expect(again.backlogs()).toEqual([7_000]);
    await again.drain();
    await expectStored("postgres", 12_000);
  });
});

test("a removed store holds nothing back; configured again, Postgres gets the records it missed and ClickHouse only new ones", async () => {
  await onFreshStorage(async (storage) => {
    const two = new Edge(storage, both(), NOW);
    two.add(requests(5));
    await two.drain();
    two.add(requests(1));
    const gone = new Edge(storage, [], NOW);
    gone.add(requests(2));
    expect(storage.sql.exec("SELECT * FROM outbox").toArray()).toEqual([]);
    const back = new Edge(storage, both(), NOW);
    back.add(requests(6));
    await back.drain();
    await expectStored("postgres", 14);
    await expectStored("clickhouse", 11);
  });
});
