/** Events: remembered once, counted when they are repeated, and listed page by page. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { Events, EventsQuery } from "../../protocol/api/events.ts";
import { READINGS_IDLE_MS } from "../../protocol/limits.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { EVENTS_MAX, FOLD_MS } from "../../worker/aggregator/events.ts";
import { VERSION } from "../../worker/version.ts";
import { helloOf, readingsOf, recordOf } from "../support/records.ts";
import { changes } from "./aggregator-queries.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const BOOT = "0190b5a0-0000-7000-8000-0000000000ff";

afterEach(() => vi.useRealTimers());

type Inside = { aggregator: Aggregator; state: DurableObjectState; storage: DurableObjectStorage };

/** Runs in a new Aggregator with a box, whose clock stands still. */
async function inside<Result>(work: (inside: Inside) => Promise<Result>): Promise<Result> {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  return runInDurableObject(await freshAggregator(), (aggregator: Aggregator, state) =>
    work({ aggregator, state, storage: state.storage }),
  );
}

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

async function listed(aggregator: Aggregator, query: Record<string, string | number> = {}) {
  return Events.parse(aggregator.events(EventsQuery.parse(query)));
}

const textsOf = async (aggregator: Aggregator, query = {}) =>
  (await listed(aggregator, query)).events.map(({ text }) => text);

test("remembers a cut tunnel, and that its return cost nothing", async () => {
  const events = await inside(async ({ aggregator }) => {
    pass(1_000);
    aggregator.gone("atlas", Date.now());
    pass(9_000);
    aggregator.connected(helloOf("atlas"));
    pass(5_000);
    const over = { latency_ms: 20_000, resumed: 1 };
    const records = [
      recordOf(NOW - 5_000, over),
      recordOf(NOW - 4_000, over),
      recordOf(NOW + 12_000, { latency_ms: 2_000 }),
    ];
    await aggregator.ingest(records, true);
    await aggregator.ingest(records, true); // delivered twice
    return (await listed(aggregator)).events;
  });
  expect(events.map(({ text }) => text)).toEqual([
    "Box atlas has its tunnel again after 9 s: 2 requests went on, none was lost",
    "Box atlas lost its tunnel",
    "Box atlas connected for the first time",
    `The edge started with version ${VERSION}`,
  ]);
  expect(events[0]).toMatchObject({ box: "atlas", params: { requests_kept: 2, requests_lost: 0 } });
});

test("counts requests that a cut ended", async () => {
  const [text] = await inside(async ({ aggregator }) => {
    aggregator.gone("atlas", Date.now());
    pass(60_000);
    aggregator.connected(helloOf("atlas"));
    const lost = { status: "error", failed_at: "tunnel", latency_ms: 30_000 } as const;
    await aggregator.ingest([recordOf(NOW - 5_000, lost)]);
    return textsOf(aggregator);
  });
  expect(text).toBe("Box atlas has its tunnel again after 60 s: 1 request failed");
});

test("a repeated event is counted, and a later one is another event", async () => {
  const events = await inside(async ({ aggregator }) => {
    for (const models of [["a"], [], ["a"], [], ["a"]]) {
      pass(2_000);
      await aggregator.read("atlas", readingsOf(Date.now(), ["a"], [], models));
    }
    pass(FOLD_MS);
    await aggregator.read("atlas", readingsOf(Date.now(), ["a"], [], []));
    await aggregator.read("atlas", readingsOf(Date.now(), ["a"], [], ["a"]));
    return (await listed(aggregator, { kind: "model_loaded" })).events;
  });
  expect(events.map(({ count, at, last_at }) => [count, at, last_at])).toEqual([
    [1, "2026-11-24T12:10:10.000Z", "2026-11-24T12:10:10.000Z"],
    [3, "2026-11-24T12:00:02.000Z", "2026-11-24T12:00:10.000Z"],
  ]);
});

test("a restart of the Aggregator goes on with the same events", async () => {
  const events = await inside(async ({ aggregator, state }) => {
    aggregator.gone("atlas", Date.now());
    pass(70_000);
    aggregator.connected(helloOf("atlas", { boot_id: BOOT }));
    const next = new Aggregator(state, env);
    pass(30_000);
    next.gone("atlas", Date.now());
    return (await listed(next, { kind: "tunnel_cut" })).events;
  });
  expect(events).toMatchObject([{ count: 2 }]);
});

test("lists events of a box, a model, some kinds and a span, page by page", async () => {
  await inside(async ({ aggregator }) => {
    aggregator.connected(helloOf("basil"));
    await aggregator.read("basil", readingsOf(Date.now(), ["phi"]));
    pass(60_000);
    await aggregator.read("basil", readingsOf(Date.now(), ["phi", "qwen3:8b"]));
    pass(60_000);
    await aggregator.read("basil", readingsOf(Date.now(), ["qwen3:8b"]));
    expect(await textsOf(aggregator, { box: "basil", kind: "model_pulled,model_deleted" })).toEqual(
      ["phi:latest on basil was deleted from the disk", "qwen3:8b on basil was pulled"],
    );
    expect(await textsOf(aggregator, { model: "phi" })).toHaveLength(1);
    const minute = { since: "2026-11-24T12:01:00Z", until: "2026-11-24T12:02:00Z" };
    expect(await textsOf(aggregator, minute)).toEqual(["qwen3:8b on basil was pulled"]);
    const first = await listed(aggregator, { limit: 2 });
    const second = await listed(aggregator, { limit: 2, cursor: Number(first.next_cursor) });
    const third = await listed(aggregator, { limit: 2, cursor: Number(second.next_cursor) });
    const pages = [first, second, third].flatMap(({ events }) => events.map(({ id }) => id));
    expect(pages).toEqual([5, 4, 3, 2, 1]);
    expect(third.next_cursor).toBeNull();
  });
});

test("keeps the newest events, and a flapping model costs at most two rows a minute", async () => {
  await inside(async ({ aggregator, storage }) => {
    storage.sql.exec(
      `WITH RECURSIVE n(id) AS (SELECT 100 UNION ALL SELECT id + 1 FROM n WHERE id < ?)
       INSERT INTO events (id, at_ms, last_ms, count, kind, params)
       SELECT id, ?, ?, 1, 'model_deleted', '{}' FROM n`,
      EVENTS_MAX,
      NOW,
      NOW,
    );
    aggregator.connected(helloOf("basil"));
    expect(storage.sql.exec("SELECT min(id) AS id, max(id) AS newest FROM events").one()).toEqual({
      id: 2,
      newest: EVENTS_MAX + 1,
    });
    const loads = async (readings: number) => {
      const before = changes(storage);
      for (let n = 0; n < readings; n++) {
        pass(2_000);
        await aggregator.read("basil", readingsOf(Date.now(), ["a"], [], n % 2 === 0 ? ["a"] : []));
      }
      // The registry writes a row for each change of the inventory.
      return changes(storage) - before - readings;
    };
    await loads(30);
    expect(await loads(30 * 5)).toBeLessThanOrEqual(2 * 6);
  });
});

test("an idle box and a calm hour cause no event", async () => {
  await inside(async ({ aggregator }) => {
    const before = await listed(aggregator);
    for (let ms = 0; ms < 3_600_000; ms += READINGS_IDLE_MS) {
      pass(READINGS_IDLE_MS);
      await aggregator.read("atlas", readingsOf(Date.now(), ["llama3.2:latest"]));
      await aggregator.ingest([recordOf(Date.now() - 2_000, {}, ms)], true);
    }
    expect((await listed(aggregator)).events).toEqual(before.events);
  });
});

test("clearing all data clears the events", async () => {
  await inside(async ({ aggregator }) => {
    await aggregator.clear("logs");
    expect(await textsOf(aggregator)).toHaveLength(2);
    await aggregator.clear("all");
    expect(await textsOf(aggregator)).toEqual([]);
  });
});
