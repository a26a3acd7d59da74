/** The logs that a query selects, and the history that is summed from them. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { Config } from "../../protocol/api/config.ts";
import { LogFacets } from "../../protocol/api/log-facets.ts";
import { LogDetail, Logs } from "../../protocol/api/logs.ts";
import { History } from "../../protocol/api/stats.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { idOf, recordOf } from "../support/records.ts";

const NOW = Date.now();
const at = (secondsAgo: number) => NOW - secondsAgo * 1_000;
const iso = (secondsAgo: number) => new Date(at(secondsAgo)).toISOString();
const read = async (path: string) =>
  (await exports.default.fetch(`http://localhost/api/${path}`)).json();
const logs = async (query: Record<string, string>) =>
  Logs.parse(await read(`stats/logs?${new URLSearchParams(query)}`));

const LONG = "é".repeat(5_000);

beforeAll(async () => {
  await aggregatorOf(env).ingest([
    recordOf(at(10), {
      latency_ms: 1_000,
      key_id: "admin",
      prompt: "A poem of the SEA",
      response: null,
    }),
    recordOf(at(20), {
      latency_ms: 1_000,
      key_id: "caller",
      prompt: null,
      response: "100% of the sea_side",
    }),
    recordOf(at(30), {
      latency_ms: 1_000,
      key_id: null,
      status: "error",
      error_message: "the box fell into the sea",
      prompt: LONG,
      response: LONG,
    }),
    recordOf(at(40), {
      latency_ms: 1_000,
      key_id: "caller",
      prompt: "mountains",
      response: "high",
    }),
    recordOf(at(3_000), {
      latency_ms: 1_000,
      key_id: "caller",
      prompt: "long ago",
      response: "yes",
    }),
  ]);
});

const PICKED: [what: string, query: Record<string, string>, secondsAgo: number[]][] = [
  ["key", { key: "caller" }, [20, 40, 3_000]],
  ["a text in prompt, response or error in any case", { q: "Sea" }, [10, 20, 30]],
  ["a text with the wildcards of SQL, literally", { q: "% of the sea_" }, [20]],
  ["a text and a key", { q: "sea", key: "admin" }, [10]],
  ["a start time", { since: iso(20) }, [10, 20]],
  ["an end time", { until: iso(20) }, [30, 40, 3_000]],
  ["a span of time", { since: iso(40), until: iso(10) }, [20, 30, 40]],
  ["an id", { id: idOf(at(30)) }, [30]],
  ["a kind of call", { kind: "chat", key: "admin" }, [10]],
  ["another kind of call", { kind: "embed" }, []],
  ["the first times in order", { sort: "time", order: "asc", until: iso(20) }, [3_000, 40, 30]],
  ["a text that no log contains", { q: "no such text" }, []],
];

test.each(PICKED)("logs are selected by %s", async (_description, query, secondsAgo) => {
  const page = await logs(query);
  expect(page.logs.map(({ id }) => id)).toEqual(secondsAgo.map((seconds) => idOf(at(seconds))));
  expect(page.total).toBe(secondsAgo.length);
});

test("short texts are the first characters and a mark that they were cut", async () => {
  const [entry] = (await logs({ id: idOf(at(30)), texts: "short" })).logs;
  expect(entry?.prompt).toBe(`${"é".repeat(200)}…`);
  expect((await logs({ id: idOf(at(30)) })).logs[0]?.response).toBe(LONG);
});

test.each([
  ["since", "yesterday"],
  ["q", ""],
  ["id", "7"],
  ["texts", "none"],
  ["sort", "fame"],
  ["kind", "dream"],
  ["sort=latency&cursor", idOf(NOW)],
  ["sort=latency&limit=2&offset", "999"],
  ["sort=latency&format", "csv"],
])("%s=%s is rejected", async (name, value) => {
  expect(
    (await exports.default.fetch(`http://localhost/api/stats/logs?${name}=${value}`)).status,
  ).toBe(400);
});

test("facets count what a filter would find, and name the oldest request", async () => {
  const facets = async (query: Record<string, string>) =>
    LogFacets.parse(await read(`stats/logs/facets?${new URLSearchParams(query)}`));
  expect(await facets({ status: "error", since: iso(3_600), buckets: "2" })).toMatchObject({
    total: 1,
    oldest: iso(3_000),
    status: [
      { value: "success", requests: 4 },
      { value: "error", requests: 1 },
    ],
    key: [],
    histogram: { from: iso(3_600), success: [0, 0], error: [0, 1] },
  });
  const { key, total } = await facets({ q: "sea" });
  expect(total).toBe(3);
  expect(key.map(({ value, requests }) => [value, requests])).toEqual([
    ["admin", 1],
    ["caller", 1],
  ]);
});

test("five minutes come in buckets of ten seconds, summed from the logs", async () => {
  const history = History.parse(await read("stats/history?time_range=5m"));
  expect(history).toMatchObject({ time_range: "5m", granularity: "10s" });
  expect(history.metrics).toHaveLength(30);
  const total = (name: "requests" | "errors") =>
    history.metrics.reduce((sum, point) => sum + point[name], 0);
  expect([total("requests"), total("errors")]).toEqual([4, 1]);
  const peak = Math.max(...history.metrics.map(({ requests_per_minute }) => requests_per_minute));
  expect(peak).toBeGreaterThanOrEqual(6);
});

test("longer ranges have no such buckets, and no bucket contains cleared requests", async () => {
  expect(
    (
      await exports.default.fetch(
        "http://localhost/api/stats/history?time_range=1h&granularity=10s",
      )
    ).status,
  ).toBe(400);
  await aggregatorOf(env).clear("metrics");
  const { metrics } = History.parse(await read("stats/history?time_range=15m"));
  expect(metrics.every(({ requests }) => requests === 0)).toBe(true);
});

test("the configuration lists the scopes of the key", async () => {
  expect(Config.parse(await read("config")).scopes).toEqual([
    "infer",
    "read",
    "metrics",
    "stats",
    "text",
    "models",
    "admin",
  ]);
});

test("explains one request by its phases and its model, and knows none by another id", async () => {
  const calls = Array.from({ length: 30 }, (_, n) =>
    recordOf(at(600), { model: "slow", latency_ms: 1_000, edge_ms: 0, tunnel_ms: 0 }, n + 1),
  );
  const slowest = recordOf(at(500), {
    ...{ model: "slow", latency_ms: 12_000, load_ms: 10_800, edge_ms: 0, tunnel_ms: 0 },
    ...{ queue_ms: 0, prefill_ms: 0 },
  });
  await aggregatorOf(env).ingest([...calls, slowest]);
  const detail = LogDetail.parse(await read(`stats/logs/${slowest.request_id}`));
  // No box has the model, so it counts among others and has no rank.
  const unranked = { slower_than: null, prompt_tokens_cached: null, store: "durable_object" };
  expect(detail).toMatchObject({ id: slowest.request_id, ...unranked });
  expect(detail.explanation).toBe(
    "12.0 s; 90 % of it was loading the model, last used 99 s before",
  );
  const unknown = await read(`stats/logs/${idOf(at(1), 77)}`);
  expect(unknown).toMatchObject({ error: { code: "request_not_found" } });
});
