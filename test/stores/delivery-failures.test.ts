/**
 * Failures of a store are reported without secrets. Every record that the store accepts still
 * arrives.
 */
import { expect, test } from "vitest";
import type { StoreName } from "../../protocol/stores.ts";
import { storeSettingsOf } from "../../worker/export/settings.ts";
import {
  expectStored,
  healthOf,
  NAMES,
  NOW,
  requests,
  stores,
  TABLES,
  useFreshStores,
} from "./delivered.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { faults, freshStores, storesIn } from "./fresh-stores.ts";

useFreshStores();

const BROKEN: [description: string, name: StoreName, fault: object, message: RegExp][] = [
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
  ["a redirect to another server", "clickhouse", { status: 302 }, /^answered HTTP 302$/],
  ["a store that is overloaded", "clickhouse", { code: "252" }, /^has too many parts/],
];

test.each(BROKEN)(
  "reports %s before %s and loses nothing",
  async (_description, name, fault, message) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(5));
      await faults(name, [{ match: "INSERT", times: 2, ...fault }]);
      await edge.flush();
      expect(healthOf(edge, name)).toMatchObject({
        state: "failing",
        backlog: 5,
        last_error: { message: expect.stringMatching(message) },
      });
      await edge.drain();
      await expectStored(name, 5);
    });
  },
);

test.each(NAMES)("%s with a wrong password is reported without the password", async (name) => {
  const variables = {
    ...stores.variables,
    CLICKHOUSE_PASSWORD: "canary-wrong",
    DATABASE_URL: stores.variables.DATABASE_URL.replace(/:[^:@]+@/, ":canary-wrong@"),
  };
  const wrong = storesIn(storeSettingsOf(variables));
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [wrong[name]], NOW);
    edge.add(requests(1, { prompt: "canary-prompt" }));
    await edge.flush();
    expect(healthOf(edge, name)).toMatchObject({
      state: "failing",
      last_error: { message: expect.stringContaining("does not accept this user and password") },
    });
    const visible = JSON.stringify([
      edge.deliveries.health(),
      edge.problems(NOW),
      storage.sql.exec("SELECT * FROM sinks").toArray(),
    ]);
    expect(visible).not.toMatch(/canary|ollama:|127\.0\.0\.1|engine\.test/);
  });
});

test.each(NAMES)(
  "%s without tables is reported with the command to run, and gets everything after it ran",
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

const DRIFT: [name: StoreName, statement: string, message: string][] = [
  [
    "clickhouse",
    "ALTER TABLE requests DROP COLUMN tunnel_ms",
    "has no column tunnel_ms in requests: run npm run migrate",
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
  "a table of %s that changes under a running edge costs no row: %s",
  async (name, statement, message) => {
    await onFreshStorage(async (storage) => {
      const edge = new Edge(storage, [stores[name]], NOW);
      edge.add(requests(1));
      await edge.flush();
      // A column that a view reads can only be dropped like this.
      await stores.ask[name](statement);
      edge.deliveries.checkpoint();
      edge.add(requests(6));
      // Rows may still fit a changed type, so the delivery checks the tables after a restart.
      const again = new Edge(storage, [storesIn(stores.settings)[name]], NOW);
      await again.flush();
      expect(healthOf(again, name)).toMatchObject({
        backlog: 6,
        set_aside: 0,
        last_error: { message: expect.stringContaining(message) },
      });
    });
  },
);

test.each(NAMES)(
  "a poisoned prompt does not block %s and shows where it was cleaned or cut",
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
  "a row that %s rejects because of its content is set aside alone and reported",
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
  "a batch that is too large for a proxy before %s is sent in halves",
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
