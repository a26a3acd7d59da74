/** Logs, history and samples read from an external store equal the ones that the object returns. */
import { beforeAll, expect, test } from "vitest";
import { LogEntry, type LogsPage } from "../../protocol/api/logs.ts";
import { HistoryPoint } from "../../protocol/api/stats.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import type { StoreName } from "../../protocol/stores.ts";
import { gpuHistoryOf } from "../../worker/answers/gpu-history.ts";
import { cellsOf, endOf, type Span } from "../../worker/answers/history.ts";
import { systemHistoryOf, systemSpanOf } from "../../worker/answers/system-history.ts";
import { requestRow } from "../../worker/export/rows.ts";
import { historyOf } from "../support/history.ts";
import { recordOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { type FreshStores, freshStores } from "./fresh-stores.ts";
import { NOW, someRecords, someSamples } from "./varied-data.ts";

const NAMES: StoreName[] = ["clickhouse", "postgres"];

let stores: FreshStores;
const samples = someSamples();
const records: RequestRecord[] = someRecords();

beforeAll(async () => {
  stores = await freshStores();
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [stores.clickhouse, stores.postgres], NOW);
    edge.add(records);
    for (const { box, gpu, system } of samples) {
      edge.nowMs++;
      edge.addSamples(box, gpu, system);
    }
    await edge.drain();
  });
});

/** Reads the same records from an object without external stores. */
const inTheObject = <Answer>(read: (edge: Edge) => Answer): Promise<Answer> =>
  onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [], NOW);
    edge.add(records);
    return read(edge);
  });

const PAGES: [description: string, page: LogsPage][] = [
  ["all entries", { limit: 1_000 }],
  ["the first entries", { limit: 7 }],
  ["entries from an offset", { limit: 20, offset: 35 }],
  ["only errors", { limit: 1_000, status: "error" }],
  ["a model, with and without its tag", { limit: 1_000, model: "llama3.2" }],
  ["one box", { limit: 1_000, box: "basil" }],
  [
    "all filters together",
    { limit: 5, offset: 1, model: "llama3.2:latest", status: "success", box: "atlas" },
  ],
  ["a text in any case", { limit: 1_000, q: "IT BROKE" }],
  ["a text that looks like a pattern", { limit: 10, q: "%_'\\{}" }],
  ["one key", { limit: 1_000, key: "caller" }],
  ["calls of one kind", { limit: 1_000, kind: "embed" }],
  ["one user of one session", { limit: 1_000, user: 'user "2"', session: "session-3" }],
  ["one id", { limit: 10, id: records[17]?.request_id }],
  [
    "a span of time",
    {
      limit: 1_000,
      since: new Date(NOW - 2_400_000).toISOString(),
      until: new Date(NOW - 1_200_000).toISOString(),
    },
  ],
  ["short texts", { limit: 5, texts: "short" }],
  ["a text with quotes and special letters", { limit: 1_000, q: 'STRASSE" \\' }],
  ["a model without requests", { limit: 10, model: `'"\\{}$1;--` }],
  ["a page beyond the last entry", { limit: 10, offset: 10_000 }],
];

test.each(PAGES)(
  "both stores return the same logs as the object: %s",
  async (_description, page) => {
    const { store: _, ...expected } = await inTheObject((edge) => edge.ledger.page(page));
    for (const name of NAMES) {
      const { store, ...read } = await stores[name].logs({ ...page, clearedMs: null });
      expect(store).toBe(name);
      expect(read).toEqual(expected);
      for (const entry of read.logs) LogEntry.parse(entry);
    }
  },
);

test.each(NAMES)("the pages of %s together contain all logs", async (name) => {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await stores[name].logs({ limit: 90, cursor, status: "success", clearedMs: null });
    ids.push(...page.logs.map(({ id }) => id));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  const successes = records
    .filter(({ status }) => status === "success")
    .map(({ request_id }) => request_id);
  expect(ids).toEqual(successes.sort().reverse());
});

test.each(NAMES)("cleared logs that %s still contains are not shown", async (name) => {
  const clearedMs = NOW - 1_800_000;
  const { logs, total } = await stores[name].logs({ limit: 1_000, clearedMs });
  const left = records.filter(
    ({ started_at, latency_ms }) => Math.floor(Date.parse(started_at) + latency_ms) > clearedMs,
  );
  expect(total).toBe(left.length);
  expect(logs).toHaveLength(left.length);
});

const SPANS: [
  description: string,
  span: Span,
  filter: { model?: string; box?: string; key?: string },
][] = [
  ["minutes", { from: Math.floor(NOW / 60_000) * 60 - 59 * 60, granularity: 60, buckets: 60 }, {}],
  [
    "five minutes",
    { from: Math.floor(NOW / 300_000) * 300 - 12 * 300, granularity: 300, buckets: 13 },
    {},
  ],
  [
    "hours of a box",
    { from: Math.floor(NOW / 3_600_000) * 3_600 - 4 * 3_600, granularity: 3_600, buckets: 5 },
    { box: "atlas" },
  ],
  [
    "some hours as one bucket, which begins at no multiple of its length",
    { from: Math.floor(NOW / 3_600_000) * 3_600 - 4 * 3_600, granularity: 5 * 3_600, buckets: 1 },
    {},
  ],
  [
    "minutes of a key, with a model",
    { from: Math.floor(NOW / 60_000) * 60 - 60 * 60, granularity: 60, buckets: 61 },
    { key: "caller", model: "llama3.2" },
  ],
];

test.each(SPANS)(
  "both stores return the same history as the object: %s",
  async (_description, span, filter) => {
    const expected = await inTheObject((edge) =>
      historyOf(
        span,
        NOW,
        filter.key === undefined
          ? edge.cells.rollups(span.from, endOf(span), filter)
          : cellsOf(edge.ledger.finishedIn(span.from * 1_000, endOf(span) * 1_000, filter)),
      ),
    );
    const percentiles = /^(latency|ttft)_p/;
    for (const name of NAMES) {
      const points = await stores[name].history(span, { ...filter, clearedMs: null }, NOW);
      expect(points).toHaveLength(expected.length);
      for (const [index, point] of points.entries()) {
        HistoryPoint.parse(point);
        const like = expected[index];
        for (const [field, value] of Object.entries(point)) {
          const other: unknown = like?.[field as keyof HistoryPoint];
          // The last digits of a sum depend on the order of its numbers, and so does the rounding.
          if (field === "avg_latency_ms" && typeof value === "number")
            expect(Math.abs(value - Number(other)), field).toBeLessThan(0.02);
          else if (!percentiles.test(field)) expect(value, `${name} ${field}`).toEqual(other);
          // With few values, the rule decides which of two neighbours a percentile is.
          else expect(value === null, `${name} ${field}`).toBe(other === null);
        }
      }
    }
  },
);

const SAMPLE_SPANS: [description: string, span: Span, box: string | undefined][] = [
  ["all boxes", systemSpanOf(7_200, 50, NOW), undefined],
  ["one box", systemSpanOf(3_600, 120, NOW), "atlas"],
  ["a span without samples", systemSpanOf(300, 10, NOW + 86_400_000), undefined],
  ["a box without samples", systemSpanOf(3_600, 10, NOW), "cinder"],
];

test.each(SAMPLE_SPANS)(
  "both stores return the same GPU and machine history as the object: %s",
  async (_description, span, box) => {
    const own = samples.filter((batch) => box === undefined || batch.box === box);
    for (const name of NAMES) {
      const read = await stores[name].samples(span, { box, clearedMs: null });
      expectNear(systemHistoryOf(span, read), systemHistoryOf(span, own));
      expectNear(gpuHistoryOf(span, read), gpuHistoryOf(span, own));
    }
  },
);

/**
 * Allows a difference in the last digit, which depends on the order in a mean of floating point
 * numbers.
 */
function expectNear(actual: unknown, expected: unknown): void {
  if (typeof actual === "number" && typeof expected === "number") {
    expect(Math.abs(actual - expected)).toBeLessThanOrEqual(0.02);
  } else if (
    typeof actual === "object" &&
    actual !== null &&
    typeof expected === "object" &&
    expected !== null
  ) {
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [key, value] of Object.entries(actual))
      expectNear(value, (expected as Record<string, unknown>)[key]);
  } else expect(actual).toEqual(expected);
}

test.each(NAMES)("cleared samples that %s still contains are not shown", async (name) => {
  const span = systemSpanOf(7_200, 50, NOW);
  const clearedMs = NOW - 1_800_000;
  const left = samples.filter(({ system }) => system.every(({ at }) => Date.parse(at) > clearedMs));
  const points = systemHistoryOf(span, await stores[name].samples(span, { clearedMs }));
  expectNear(points, systemHistoryOf(span, left));
  expect(left.length).toBeGreaterThan(0);
});

test("percentiles of many requests are at most 1 % off in both stores", async () => {
  const many = await freshStores();
  const random = seeded(9);
  const latencies = Array.from({ length: 5_000 }, () => Math.exp(random() * 8));
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [many.clickhouse, many.postgres], NOW);
    // Each of these inserts adds to the existing sums.
    for (let from = 0; from < latencies.length; from += 500) {
      edge.add(
        latencies
          .slice(from, from + 500)
          .map((latency_ms, n) => recordOf(NOW - 60_000, { latency_ms, ttft_ms: 0 }, from + n)),
      );
      await edge.drain();
    }
  });
  const sorted = latencies.sort((a, b) => a - b);
  const span = {
    from: Math.floor(NOW / 3_600_000) * 3_600 - 3_600,
    granularity: 7_200,
    buckets: 1,
  };
  for (const name of NAMES) {
    const [point] = await many[name].history(span, { clearedMs: null }, NOW);
    for (const [field, q] of [
      ["latency_p50_ms", 0.5],
      ["latency_p95_ms", 0.95],
      ["latency_p99_ms", 0.99],
    ] as const) {
      const exact = sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
      expect(Math.abs((point?.[field] ?? 0) / exact - 1), `${name} ${field}`).toBeLessThan(0.01);
    }
    expect([point?.ttft_p50_ms, point?.ttft_p95_ms]).toEqual([0, 0]);
  }
});

test.each(NAMES)(
  "the history of %s survives clearing the logs and is deleted with the metrics",
  async (name) => {
    const own = await freshStores();
    const insert = (n: number) =>
      own[name].insert({
        id: crypto.randomUUID(),
        kind: "requests",
        rows: [requestRow(recordOf(NOW - 60_000, {}, n), NOW)],
      });
    const span = { from: Math.floor(NOW / 60_000) * 60 - 3_540, granularity: 3_600, buckets: 1 };
    const requests = async () =>
      (await own[name].history(span, { clearedMs: null }, NOW))[0]?.requests;
    await insert(1);
    expect(await own[name].clear({ logs: true, metrics: false })).toEqual({ logs: 1, metrics: 0 });
    expect(await requests()).toBe(1);
    await insert(2);
    expect(await own[name].clear({ logs: false, metrics: true })).toEqual({
      logs: 0,
      metrics: expect.any(Number),
    });
    expect([await requests(), (await own[name].logs({ limit: 1, clearedMs: null })).total]).toEqual(
      [0, 1],
    );
  },
);
