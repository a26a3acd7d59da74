/** Records reach every store exactly once, even if stores or answers are lost, slow or down. */
import { expect, inject, test } from "vitest";
import { DAY_MS } from "../../protocol/day.ts";
import { gpuOf, systemOf } from "../support/records.ts";
import {
  both,
  expectStored,
  healthOf,
  NAMES,
  NOW,
  requests,
  stores,
  useFreshStores,
} from "./delivered.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { faults, statements, storesIn } from "./fresh-stores.ts";

useFreshStores();

test("a flush delivers requests, GPU samples and machine samples to both stores and leaves nothing waiting", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.add(requests(30));
    edge.addSamples(
      "atlas",
      [
        gpuOf("atlas", NOW),
        gpuOf("atlas", NOW, { index: 1, throttle_reasons: ["sw_power_cap", "hw_thermal"] }),
      ],
      [
        systemOf(NOW - 10_000, {
          cpu_percent: null,
          load_1m: null,
          disk_path: "nul\0 \ud83d",
          disk_total_bytes: 2 ** 63,
        }),
        systemOf(NOW, { in_flight: Number.MAX_SAFE_INTEGER }),
      ],
    );
    edge.add(requests(3));
    expect(edge.backlogs()).toEqual([37, 37]);
    await edge.flush();
    expect(edge.backlogs()).toEqual([0, 0]);
    for (const name of NAMES) {
      await expectStored(name, 33);
      const samples = await stores.ask[name](
        "SELECT gpu, throttle_reasons FROM gpu_samples ORDER BY gpu",
      );
      expect(samples).toEqual([
        { gpu: 0, throttle_reasons: "" },
        { gpu: 1, throttle_reasons: "sw_power_cap,hw_thermal" },
      ]);
      const machines = await stores.ask[name](
        "SELECT box, cpu_percent, cpu_count_logical, load_1m, disk_path, disk_total_bytes, in_flight, queued FROM system_samples ORDER BY in_flight",
      );
      expect(
        machines.map((row) => ({
          ...row,
          in_flight: Number(row.in_flight),
          cpu_count_logical: Number(row.cpu_count_logical),
        })),
      ).toMatchObject([
        {
          box: "atlas",
          cpu_percent: null,
          load_1m: null,
          disk_path: "nul\ufffd \ufffd",
          disk_total_bytes: 2 ** 63,
          in_flight: 2,
        },
        {
          box: "atlas",
          cpu_percent: 25,
          cpu_count_logical: 16,
          load_1m: 4,
          in_flight: Number.MAX_SAFE_INTEGER,
        },
      ]);
      expect(healthOf(edge, name)).toMatchObject({
        state: "ok",
        delivered: 37,
        dropped: 0,
        set_aside: 0,
        last_error: null,
      });
    }
    expect(storage.sql.exec("SELECT * FROM outbox").toArray()).toEqual([]);
  });
});

test("a batch counts once if its answer is lost before or after it was stored, even after the edge crashes", async () => {
  await onFreshStorage(async (storage) => {
    let edge = new Edge(storage, both(), NOW);
    const rounds = inject("rounds");
    for (let round = 0; round < rounds; round++) {
      edge.add(requests(2));
      // The connection is cut or times out, twice in every other round. In some rounds the
      // statement does not arrive at all.
      const lost = {
        match: "INSERT",
        times: 1 + (round % 2),
        drop: "after" as const,
        ...(round % 10 === 0 ? {} : { status: 504 }),
      };
      const undelivered = round % 4 === 0 ? [{ match: "INSERT", times: 1, status: 503 }] : [];
      await Promise.all(NAMES.map((name) => faults(name, [...undelivered, lost])));
      await edge.flush();
      expect(edge.deliveries.health().map(({ state, backlog }) => [state, backlog])).toEqual([
        ["failing", 2],
        ["failing", 2],
      ]);
      if (round % 3 === 0)
        edge = new Edge(storage, Object.values(storesIn(stores.settings)), edge.nowMs);
      edge.add(requests(1));
      await edge.drain();
    }
    for (const name of NAMES) await expectStored(name, 3 * rounds);
  });
}, 600_000);

test("a store that was down for a day catches up in one flush and does not hold up the other store", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    await faults("clickhouse", [{ times: 1_000_000, status: 502 }]);
    // With many rounds, this is one request per second, flushed every five minutes.
    const requestsEach = inject("rounds") >= 1_000 ? 300 : 5;
    const count = 288 * requestsEach;
    for (let flush = 0; flush < 288; flush++) {
      edge.nowMs = NOW + flush * 300_000;
      edge.add(requests(requestsEach));
      await edge.flush();
      if (flush % 12 === 0) edge.keepHouse();
    }
    expect(edge.backlogs()).toEqual([count, 0]);
    expect(healthOf(edge, "postgres")).toMatchObject({ state: "ok", delivered: count });
    // Attempts went on until the end, at most one per flush.
    const attempts = (await statements("clickhouse")).length;
    expect(attempts).toBeGreaterThan(280);
    expect(attempts).toBeLessThanOrEqual(288);
    expect(edge.problems()).toEqual([`clickhouse answered HTTP 502; ${count} unsent records`]);
    await faults("clickhouse", []);
    edge.nowMs += 300_000;
    await edge.flush();
    // One flush delivers the whole day.
    expect(edge.backlogs()).toEqual([0, 0]);
    for (const name of NAMES) await expectStored(name, count);
  });
});

test("waiting records outlive the retention of the ledger and of the samples", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [stores.clickhouse], NOW);
    edge.add(requests(20));
    edge.addSamples("atlas", [gpuOf("atlas", NOW)]);
    await faults("clickhouse", [{ times: 1_000, status: 503 }]);
    await edge.flush();
    edge.nowMs = NOW + 10 * DAY_MS;
    edge.keepHouse();
    expect(edge.ledger.summary().rows).toBe(20);
    await faults("clickhouse", []);
    await edge.drain();
    await expectStored("clickhouse", 20);
    edge.keepHouse();
    expect(edge.ledger.summary().rows).toBe(0);
    expect(storage.sql.exec("SELECT * FROM samples").toArray()).toEqual([]);
  });
});

test("a full outbox drops its oldest records, and counts and reports them", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    await faults("postgres", [{ times: 1_000, status: 503 }]);
    for (let n = 0; n < 10; n++) edge.add(requests(10));
    await edge.flush();
    edge.deliveries.bound(edge.nowMs, { itemsMax: 65, bytesMax: 6e9 });
    expect(edge.backlogs()).toEqual([0, 60]);
    expect(healthOf(edge, "postgres")).toMatchObject({ dropped: 40 });
    expect(edge.problems()).toContain("postgres did not receive 40 records: the outbox was full");
    await faults("postgres", []);
    edge.nowMs += 300_000;
    await edge.drain();
    await expectStored("postgres", 60);
    await expectStored("clickhouse", 100);
    expect(edge.problems(edge.nowMs + DAY_MS)).toEqual([]);
  });
});

test("long texts make batches that both stores accept", async () => {
  // Each character becomes two in JSON, and four in JSON text within JSON.
  const text = '"\\'.repeat(25_000);
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    for (let n = 0; n < 6; n++)
      edge.add(requests(25, { prompt: text.slice(0, 10_000), response: text }));
    await Promise.all(NAMES.map((name) => faults(name, [])));
    await edge.drain();
    for (const name of NAMES) await expectStored(name, 150);
    expect(edge.deliveries.health().map(({ last_error }) => last_error)).toEqual([null, null]);
  });
});

test("a slow store holds up neither the other store nor the intake", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.add(requests(5));
    await faults("clickhouse", [{ match: "INSERT", times: 1, delayMs: 1_500 }]);
    const flush = edge.flush();
    for (let n = 0; n < 5; n++) {
      edge.add(requests(1));
      while (healthOf(edge, "postgres")?.backlog !== 0) await scheduler.wait(10);
    }
    expect(healthOf(edge, "clickhouse")?.backlog).toBe(10);
    await flush;
    await edge.drain();
    for (const name of NAMES) await expectStored(name, 10);
  });
});
