/** Logs and history read back from the stores say what the object itself would say. */
import { beforeAll, expect, test } from "vitest";
import { LogEntry, type LogsPage } from "../../protocol/api/logs.ts";
import { HistoryPoint } from "../../protocol/api/stats.ts";
import type { RequestRecord, Status } from "../../protocol/records.ts";
import type { StoreName } from "../../protocol/stores.ts";
import { gpuHistoryOf } from "../../worker/answers/gpu-history.ts";
import { endOf, historyOf, type Span } from "../../worker/answers/history.ts";
import { systemHistoryOf, systemSpanOf } from "../../worker/answers/system-history.ts";
import { requestRow } from "../../worker/export/rows.ts";
import { gpuOf, recordOf, systemOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { type FreshStores, freshStores } from "./fresh-stores.ts";

const NAMES: StoreName[] = ["clickhouse", "postgres"];
const NOW = Date.UTC(2026, 10, 24, 12, 0, 30);
const COUNT = 400;

let stores: FreshStores;
const samples = someSamples();
const records: RequestRecord[] = someRecords();

function someRecords(): RequestRecord[] {
  const random = seeded(5);
  const pick = <Item>(items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item;
  const statuses: Status[] = ["success", "success", "success", "error", "cancelled"];
  return Array.from({ length: COUNT }, (_, n) =>
    recordOf(
      NOW - 3_600_000 + Math.floor(random() * 3_500_000),
      {
        status: pick(statuses),
        model: pick(["llama3.2", "llama3.2:latest", "qwen3:8b", null]),
        box: pick(["atlas", "basil", null]),
        endpoint: pick(["/api/chat", "/v1/chat/completions", "/api/tags"]),
        prompt_tokens: pick([null, 3, 50]),
        completion_tokens: pick([null, 0, 200]),
        // Whole: a sum of fractions depends on its order.
        latency_ms: Math.round(random() * 90_000),
        ttft_ms: pick([null, Math.round(random() * 1_000)]),
        energy_j: pick([null, 12.5]),
        prompt: pick(["Hello", 'Die strasse" \\ dort', "x".repeat(5_000)]),
        error_message: pick([null, "it broke"]),
        key_id: pick([null, "caller", "admin"]),
      },
      n,
    ),
  );
}

/** Of two boxes, one with two GPUs, with holes and with what nobody knows. */
function someSamples() {
  const random = seeded(7);
  const known = (most: number) => (random() < 0.2 ? null : Math.round(random() * most));
  return Array.from({ length: 200 }, (_, n) => {
    const box = n % 3 === 0 ? "basil" : "atlas";
    const atMs = NOW - 3_600_000 + Math.floor(random() * 3_500_000);
    const gpu = (index: number) =>
      gpuOf(box, atMs, {
        index,
        name: `GPU ${index}`,
        utilization_percent: known(100),
        memory_used_mb: known(24_576),
        power_draw_w: known(350),
      });
    const figures = {
      cpu_percent: known(100),
      cpu_count_logical: n % 5 === 0 ? null : 16,
      memory_used_bytes: known(2 ** 36),
      queued: n % 4,
    };
    return {
      box,
      gpu: n % 7 === 0 ? [] : box === "atlas" ? [gpu(0), gpu(1)] : [gpu(0)],
      system: [systemOf(atMs, figures)],
    };
  });
}

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

/** What the object says of the same records. */
const inTheObject = <Answer>(ask: (edge: Edge) => Answer): Promise<Answer> =>
  onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [], NOW);
    edge.add(records);
    return ask(edge);
  });

const PAGES: [what: string, page: LogsPage][] = [
  ["all", { limit: 1_000 }],
  ["the first", { limit: 7 }],
  ["some after others", { limit: 20, offset: 35 }],
  ["errors", { limit: 1_000, status: "error" }],
  ["a model, with and without its tag", { limit: 1_000, model: "llama3.2" }],
  ["a box", { limit: 1_000, box: "basil" }],
  [
    "all filters together",
    { limit: 5, offset: 1, model: "llama3.2:latest", status: "success", box: "atlas" },
  ],
  ["a text, whatever its case", { limit: 1_000, q: "IT BROKE" }],
  ["a text that is a pattern", { limit: 10, q: "%_'\\{}" }],
  ["a key", { limit: 1_000, key: "caller" }],
  ["one id", { limit: 10, id: records[17]?.request_id }],
  [
    "some time",
    {
      limit: 1_000,
      since: new Date(NOW - 2_400_000).toISOString(),
      until: new Date(NOW - 1_200_000).toISOString(),
    },
  ],
  ["short texts", { limit: 5, texts: "short" }],
  ["those that hold a text, however it is written", { limit: 1_000, q: 'STRASSE" \\' }],
  ["a model that nobody called", { limit: 10, model: `'"\\{}$1;--` }],
  ["what is beyond the last", { limit: 10, offset: 10_000 }],
];

test.each(PAGES)("logs: %s", async (_what, page) => {
  const { store: _, ...expected } = await inTheObject((edge) => edge.ledger.page(page));
  for (const name of NAMES) {
    const { store, ...read } = await stores[name].logs({ ...page, clearedMs: null });
    expect(store).toBe(name);
    expect(read).toEqual(expected);
    for (const entry of read.logs) LogEntry.parse(entry);
  }
});

test.each(NAMES)("logs of %s, page by page, are all logs", async (name) => {
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

test.each(NAMES)("logs of %s that were cleared, and not there yet, are not shown", async (name) => {
  const clearedMs = NOW - 1_800_000;
  const { logs, total } = await stores[name].logs({ limit: 1_000, clearedMs });
  const left = records.filter(
    ({ started_at, latency_ms }) => Math.floor(Date.parse(started_at) + latency_ms) > clearedMs,
  );
  expect(total).toBe(left.length);
  expect(logs).toHaveLength(left.length);
});

const SPANS: [what: string, span: Span, filter: { model?: string; box?: string }][] = [
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
];

test.each(SPANS)("history: %s", async (_what, span, filter) => {
  const expected = await inTheObject((edge) =>
    historyOf(span, NOW, edge.cells.rollups(span.from, endOf(span), filter)),
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
        // The sum of many numbers depends on their order in its last digits, and so the rounding.
        if (field === "avg_latency_ms" && typeof value === "number")
          expect(Math.abs(value - Number(other)), field).toBeLessThan(0.02);
        else if (!percentiles.test(field)) expect(value, `${name} ${field}`).toEqual(other);
        // Of few values, which of two neighbours a percentile is depends on the rule.
        else expect(value === null, `${name} ${field}`).toBe(other === null);
      }
    }
  }
});

const SAMPLE_SPANS: [what: string, span: Span, box: string | undefined][] = [
  ["of all boxes", systemSpanOf(7_200, 50, NOW), undefined],
  ["of one box", systemSpanOf(3_600, 120, NOW), "atlas"],
  ["where there are none", systemSpanOf(300, 10, NOW + 86_400_000), undefined],
  ["of a box that has none", systemSpanOf(3_600, 10, NOW), "cinder"],
];

test.each(SAMPLE_SPANS)(
  "the history of machines and GPUs %s is that of the object",
  async (_what, span, box) => {
    const own = samples.filter((batch) => box === undefined || batch.box === box);
    for (const name of NAMES) {
      const read = await stores[name].samples(span, { box, clearedMs: null });
      expectNear(systemHistoryOf(span, read), systemHistoryOf(span, own));
      expectNear(gpuHistoryOf(span, read), gpuHistoryOf(span, own));
    }
  },
);

/** Means of floating point numbers depend on their order in the last digit, so rounded ones may differ in theirs. */
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

test.each(NAMES)(
  "samples of %s that were cleared, and not there yet, are not shown",
  async (name) => {
    const span = systemSpanOf(7_200, 50, NOW);
    const clearedMs = NOW - 1_800_000;
    const left = samples.filter(({ system }) =>
      system.every(({ at }) => Date.parse(at) > clearedMs),
    );
    const points = systemHistoryOf(span, await stores[name].samples(span, { clearedMs }));
    expectNear(points, systemHistoryOf(span, left));
    expect(left.length).toBeGreaterThan(0);
  },
);

test("percentiles of many requests are at most 1 % off, in both stores", async () => {
  const many = await freshStores();
  const random = seeded(9);
  const latencies = Array.from({ length: 5_000 }, () => Math.exp(random() * 8));
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [many.clickhouse, many.postgres], NOW);
    // In several inserts, of which each adds to what is there.
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
  "history of %s stays when the logs are cleared, and goes with the metrics",
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
