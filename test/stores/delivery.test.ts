/** What was counted reaches the stores once, whatever is lost, slow, full or broken in between. */
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import type { RequestRecord } from "../../protocol/records.ts";
import type { StoreName } from "../../protocol/stores.ts";
import { gpuOf, recordOf, systemOf } from "../support/records.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { type FreshStores, faults, freshStores, statements, storesIn } from "./fresh-stores.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const DAY_MS = 86_400_000;
const NAMES: StoreName[] = ["clickhouse", "postgres"];
const TABLES = { clickhouse: "requests", postgres: "request_logs" } as const;

let stores: FreshStores;

beforeEach(async () => {
  stores = await freshStores();
});

afterEach(async () => {
  await Promise.all(NAMES.map((name) => faults(name, [])));
});

let made = 0;
const requests = (count: number, rest: Partial<RequestRecord> = {}): RequestRecord[] =>
  Array.from({ length: count }, () => recordOf(NOW - 60_000, rest, made++));

const both = () => [stores.clickhouse, stores.postgres];

/** Rows, requests, and the sum of the minutes: all equal when nothing is there twice. */
async function stored(name: StoreName): Promise<number[]> {
  const [row] = await stores.ask[name](
    `SELECT count(*) AS n, count(DISTINCT request_id) AS ids FROM ${TABLES[name]}`,
  );
  const counts = [Number(row?.n), Number(row?.ids)];
  const table = name === "clickhouse" ? "requests_minutes" : "request_minutes";
  const [minutes] = await stores.ask[name](
    `SELECT sum(successes + errors + cancelled) AS n FROM ${table}`,
  );
  return [...counts, Number(minutes?.n)];
}

async function expectStored(name: StoreName, count: number): Promise<void> {
  expect(new Set(await stored(name)), name).toEqual(new Set([count]));
}

const healthOf = (edge: Edge, name: StoreName) =>
  edge.sinks.health().find(({ sink }) => sink === name);

test("requests and samples of GPUs and machines are in both stores after a flush, and nothing waits", async () => {
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

test("a batch counts once when its answer is lost, before or after it was stored, also after a crash of the edge", async () => {
  await onFreshStorage(async (storage) => {
    let edge = new Edge(storage, both(), NOW);
    const rounds = inject("rounds");
    for (let round = 0; round < rounds; round++) {
      edge.add(requests(2));
      // Cut off, or timed out in between; every other round twice; and sometimes not even the statement arrives.
      const lost = {
        match: "INSERT",
        times: 1 + (round % 2),
        drop: "after" as const,
        ...(round % 10 === 0 ? {} : { status: 504 }),
      };
      const unheard = round % 4 === 0 ? [{ match: "INSERT", times: 1, status: 503 }] : [];
      await Promise.all(NAMES.map((name) => faults(name, [...unheard, lost])));
      await edge.flush();
      expect(edge.sinks.health().map(({ state, backlog }) => [state, backlog])).toEqual([
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

test("a store that is down for a day gets everything, at far more than ten times the pace it came at, and the other one is not held up", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    await faults("clickhouse", [{ times: 1_000_000, status: 502 }]);
    // A box that serves one request a second, when this is to take long; flushed every five minutes.
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
    // It was asked again until the end, and never twice in a row.
    const attempts = (await statements("clickhouse")).length;
    expect(attempts).toBeGreaterThan(280);
    expect(attempts).toBeLessThanOrEqual(288);
    expect(edge.problems()).toEqual([`clickhouse answered HTTP 502; ${count} unsent records`]);
    await faults("clickhouse", []);
    edge.nowMs += 300_000;
    await edge.flush();
    // A day's worth in one flush.
    expect(edge.backlogs()).toEqual([0, 0]);
    for (const name of NAMES) await expectStored(name, count);
  });
});

test("what waits for a store outlives the retention of the ledger and of the samples", async () => {
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

test("when more waits than can be kept, the oldest go, and that is counted and said", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    await faults("postgres", [{ times: 1_000, status: 503 }]);
    for (let n = 0; n < 10; n++) edge.add(requests(10));
    await edge.flush();
    edge.sinks.bound(edge.nowMs, { itemsMax: 65, bytesMax: 6e9 });
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

const BROKEN: [what: string, name: StoreName, fault: object, said: RegExp][] = [
  ["a proxy that answers 503", "clickhouse", { status: 503 }, /^answered HTTP 503$/],
  ["a proxy that answers 503", "postgres", { status: 503 }, /^answered HTTP 503$/],
  [
    "a quota that is used up",
    "clickhouse",
    { code: "201" },
    /^has used up its quota \(ClickHouse error 201\)$/,
  ],
  [
    "a disk that is full",
    "postgres",
    { code: "53100" },
    /^is out of disk space \(Postgres error 53100\)$/,
  ],
  ["a redirect to somewhere else", "clickhouse", { status: 302 }, /^answered HTTP 302$/],
  ["a store that is overloaded", "clickhouse", { code: "252" }, /^has too many parts/],
];

test.each(BROKEN)(
  "%s in front of %s: it is said, and nothing is lost",
  async (_what, name, fault, said) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(5));
      await faults(name, [{ match: "INSERT", times: 2, ...fault }]);
      await edge.flush();
      expect(healthOf(edge, name)).toMatchObject({
        state: "failing",
        backlog: 5,
        last_error: { message: expect.stringMatching(said) },
      });
      await edge.drain();
      await expectStored(name, 5);
    });
  },
);

test.each(NAMES)("%s says that the password is wrong, and not which one", async (name) => {
  const variables = {
    ...stores.variables,
    CLICKHOUSE_PASSWORD: "canary-wrong",
    DATABASE_URL: stores.variables.DATABASE_URL.replace(/:[^:@]+@/, ":canary-wrong@"),
  };
  const { storeSettingsOf } = await import("../../worker/export/settings.ts");
  const wrong = storesIn(storeSettingsOf(variables));
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [wrong[name]], NOW);
    edge.add(requests(1, { prompt: "canary-prompt" }));
    await edge.flush();
    expect(healthOf(edge, name)).toMatchObject({
      state: "failing",
      last_error: { message: expect.stringContaining("does not accept this user and password") },
    });
    const told = JSON.stringify([
      edge.sinks.health(),
      edge.problems(NOW),
      storage.sql.exec("SELECT * FROM sinks").toArray(),
    ]);
    expect(told).not.toMatch(/canary|ollama:|127\.0\.0\.1|engine\.test/);
  });
});

test.each(NAMES)(
  "%s without its tables says what to run, and gets everything once that was run",
  async (name) => {
    const empty = await freshStores(false);
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [empty[name]], NOW);
      edge.add(requests(4));
      await edge.flush();
      expect(healthOf(edge, name)).toMatchObject({
        state: "failing",
        last_error: { message: expect.stringMatching(/run npm run migrate/) },
      });
      await empty[name].migrate();
      edge.nowMs += 10_000;
      await edge.flush();
      expect(edge.backlogs()).toEqual([0]);
      expect(
        Number((await empty.ask[name](`SELECT count(*) AS n FROM ${TABLES[name]}`))[0]?.n),
      ).toBe(4);
    });
  },
);

const DRIFT: [name: StoreName, statement: string, said: string][] = [
  [
    "clickhouse",
    "ALTER TABLE requests DROP COLUMN energy_j",
    "has no column energy_j in requests: run npm run migrate",
  ],
  [
    "postgres",
    "ALTER TABLE request_logs DROP COLUMN energy_j",
    "has no column energy_j in request_logs: run npm run migrate",
  ],
  [
    "clickhouse",
    "ALTER TABLE requests MODIFY COLUMN http_status LowCardinality(String)",
    "has type LowCardinality(String) for requests.http_status",
  ],
  [
    "postgres",
    "ALTER TABLE request_logs ALTER COLUMN done_reason TYPE integer USING 1",
    "has type integer for request_logs.done_reason",
  ],
];

test.each(DRIFT)(
  "a table of %s that changed under a running edge gives up no row: %s",
  async (name, statement, said) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(1));
      await edge.flush();
      // As a user would with old ClickHouse settings; a column of a view's source cannot go otherwise.
      await stores.ask[name](statement);
      edge.add(requests(6));
      // Rows of before may still fit a changed type: a restart looks, whatever it is.
      const again = new Edge(storage, [storesIn(stores.settings)[name]], NOW);
      await again.flush();
      expect(healthOf(again, name)).toMatchObject({
        backlog: 6,
        set_aside: 0,
        last_error: { message: expect.stringContaining(said) },
      });
    });
  },
);

test.each(NAMES)(
  "a poisoned prompt does not hold up %s, and shows where it was cleaned or cut",
  async (name) => {
    const poisoned = [
      ...requests(1, { prompt: "nul\0here", response: "half \ud83d pair" }),
      ...requests(1, {
        prompt: "\0".repeat(10_000),
        response: '"\n\ud800'.repeat(16_000),
        error_message: "\0".repeat(2_000),
      }),
      ...requests(1, {
        prompt: `'); DROP TABLE requests; -- \\ " \u2028 {"a":1} \\N`,
        model: "\0",
        user_agent: "\ud800",
      }),
    ];
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add([...requests(2), ...poisoned, ...requests(2)]);
      await edge.flush();
      expect(healthOf(edge, name)).toMatchObject({
        state: "ok",
        backlog: 0,
        delivered: 7,
        set_aside: 0,
      });
    });
    const { logs } = await stores[name].logs({ limit: 10, clearedMs: null });
    const [nul, long, hostile] = poisoned.map(({ request_id }) =>
      logs.find(({ id }) => id === request_id),
    );
    expect(nul).toMatchObject({ prompt: "nul\ufffdhere", response: "half \ufffd pair" });
    expect(long).toMatchObject({
      prompt: "\ufffd".repeat(10_000),
      response: '"\n\ufffd'.repeat(16_000),
    });
    expect(hostile).toMatchObject({
      prompt: `'); DROP TABLE requests; -- \\ " \u2028 {"a":1} \\N`,
      model: "\ufffd",
      user_agent: "\ufffd",
    });
  },
);

test.each(NAMES)(
  "a row that %s refuses for what is in it is set aside alone, and shown",
  async (name) => {
    const constraint = {
      clickhouse: "ALTER TABLE requests ADD CONSTRAINT polite CHECK http_status != 418",
      postgres: "ALTER TABLE request_logs ADD CONSTRAINT polite CHECK (http_status <> 418)",
    };
    await stores.ask[name](constraint[name]);
    const [teapot] = requests(1, { http_status: 418, prompt: "canary-prompt" });
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add([...requests(40), ...(teapot === undefined ? [] : [teapot]), ...requests(20)]);
      await edge.drain();
      expect(healthOf(edge, name)).toMatchObject({
        state: "ok",
        backlog: 0,
        delivered: 60,
        set_aside: 1,
      });
      await expectStored(name, 60);
      const problems = edge.problems();
      expect(problems).toEqual([
        expect.stringContaining(
          `request ${teapot?.request_id}: rejected rows because of their content`,
        ),
      ]);
      expect(problems.join()).not.toContain("canary");
    });
  },
);

test.each(NAMES)(
  "a batch that is too large for what is in front of %s is sent in halves",
  async (name) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(64));
      await faults(name, [{ match: "INSERT", times: 3, status: 413 }]);
      await edge.flush();
      expect(healthOf(edge, name)).toMatchObject({
        state: "ok",
        backlog: 0,
        delivered: 64,
        set_aside: 0,
      });
      await expectStored(name, 64);
    });
  },
);

test("long texts make batches that both stores take", async () => {
  // Every character of it is two in JSON, and four where that is a text within JSON.
  const text = '"\\'.repeat(25_000);
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    for (let n = 0; n < 6; n++)
      edge.add(requests(25, { prompt: text.slice(0, 10_000), response: text }));
    await Promise.all(NAMES.map((name) => faults(name, [])));
    await edge.drain();
    for (const name of NAMES) await expectStored(name, 150);
    expect(edge.sinks.health().map(({ last_error }) => last_error)).toEqual([null, null]);
  });
});

test("a store that is slow holds up neither the other one nor the intake", async () => {
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

test.each(NAMES)(
  "what was cleared while %s was down is deleted there before anything new is written",
  async (name) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(10));
      edge.addSamples("atlas", [gpuOf("atlas", NOW)]);
      await edge.flush();
      edge.add(requests(5));
      await faults(name, [{ times: 1, status: 503 }]);
      edge.clear({ logs: true, metrics: true });
      expect(await edge.sinks.clear(() => edge.nowMs)).toEqual([
        { store: name, rows: null, error: "answered HTTP 503" },
      ]);
      expect(healthOf(edge, name)).toMatchObject({ clearing: true, backlog: 0 });
      expect(edge.problems(NOW)).toContain(
        `${name} is not cleared yet: the deleted data is still there`,
      );
      edge.nowMs += 60_000;
      const after = recordOf(edge.nowMs, {}, made++);
      edge.add([after]);
      const again = new Edge(storage, [storesIn(stores.settings)[name]], edge.nowMs);
      await again.flush();
      expect(healthOf(again, name)).toMatchObject({ clearing: false, backlog: 0, state: "ok" });
      await expectStored(name, 1);
      expect(await stores.ask[name]("SELECT * FROM gpu_samples")).toEqual([]);
      again.clear({ logs: true, metrics: false });
      expect(await again.sinks.clear(() => again.nowMs)).toEqual([
        { store: name, rows: { logs: 1, metrics: 0 }, error: null },
      ]);
    });
  },
);

test("clearing while a batch is on its way leaves none of it behind, and new batches have new names", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.add(requests(10));
    await Promise.all(
      NAMES.map((name) => faults(name, [{ match: "INSERT", times: 1, delayMs: 300 }])),
    );
    const flush = edge.flush();
    await scheduler.wait(100);
    edge.clear({ logs: true, metrics: true });
    const cleared = await edge.sinks.clear(() => edge.nowMs);
    expect(cleared.map(({ error }) => error)).toEqual([null, null]);
    await flush;
    edge.nowMs += 60_000;
    edge.add([recordOf(edge.nowMs, {}, made++)]);
    await edge.drain();
    for (const name of NAMES) await expectStored(name, 1);
  });
});

test("a store that is configured later gets what the edge still has, in order, and the other one nothing twice", async () => {
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
    // Waits for Postgres, and so for ClickHouse too.
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
    // And no more at the next start.
    expect(new Edge(storage, both(), NOW + 4).backlogs()).toEqual([0, 0]);
  });
});

test("what was there before a store is sent oldest first, in bounded batches, also over a restart in its middle", async () => {
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

test("a store that is gone holds nothing back; when it comes again Postgres gets what it missed, ClickHouse what comes from then on", async () => {
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
