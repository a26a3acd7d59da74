/** The rows of the ledger in memory: what is kept of each, counted and sorted. */
import { expect, test } from "vitest";
import type { LogOrder } from "../../../../protocol/log-order.ts";
import type { RequestRecord } from "../../../../protocol/records.ts";
import { LedgerIndex } from "../../../../worker/aggregator/ledger-index.ts";
import { RowFacets } from "../../../../worker/aggregator/row-facets.ts";
import { entryOf, type RowFilter } from "../../../../worker/aggregator/row-filter.ts";
import { FirstRows } from "../../../../worker/aggregator/row-order.ts";
import { idOf, recordOf } from "../../../support/records.ts";

const MINUTE_MS = 60_000;
const FROM_MS = Date.UTC(2026, 5, 1);

const RECORDS: Partial<RequestRecord>[] = [
  { latency_ms: 300.04, ttft_ms: 20, completion_tokens: 10, decode_ms: 1_000, energy_j: 1.5 },
  { latency_ms: 300, ttft_ms: null, completion_tokens: 90, decode_ms: 3_000, energy_j: 0.25 },
  { latency_ms: 20, ttft_ms: null, completion_tokens: null, decode_ms: null, status: "error" },
  { latency_ms: 9_000, ttft_ms: 5, completion_tokens: 40, decode_ms: 0, model: "mistral" },
  {
    latency_ms: 40,
    model: "llama3.2:latest",
    box: "basil",
    key_id: "k1",
    endpoint: "/v1/messages",
  },
];
const entries = RECORDS.map((rest, n) =>
  entryOf(recordOf(FROM_MS + n * MINUTE_MS, { energy_j: null, ...rest }), n),
);
const idsOf = (...numbers: number[]) => numbers.map((n) => idOf(FROM_MS + n * MINUTE_MS));

test("keeps no text of a record in memory", () => {
  const index = new LedgerIndex();
  index.add(recordOf(FROM_MS, { prompt: "a secret", response: "another" }));
  const [slice = []] = index.slices({}, null, 10);
  expect(JSON.stringify(slice)).not.toMatch(/secret|another|machine/);
  expect(slice).toHaveLength(1);
});

test.each<[LogOrder, number[]]>([
  [{ sort: "latency" }, [3, 0, 1, 4, 2]],
  [{ sort: "latency", order: "asc" }, [2, 4, 1, 0, 3]],
  [{ sort: "ttft" }, [4, 0, 3, 2, 1]],
  [{ sort: "ttft", order: "asc" }, [3, 0, 4, 2, 1]],
  [{ sort: "tokens" }, [4, 1, 3, 0, 2]],
  [{ sort: "rate" }, [4, 1, 0, 3, 2]],
  [{ sort: "energy" }, [0, 1, 4, 3, 2]],
  [{ sort: "time", order: "asc" }, [0, 1, 2, 3, 4]],
])(
  "sorts by %j, with unknown figures last and the newest of equal ones first",
  (order, expected) => {
    const whole = new FirstRows(10, order);
    whole.add(entries);
    expect(whole.ids(0)).toEqual(idsOf(...expected));
    const sliced = new FirstRows(4, order);
    for (const entry of entries) sliced.add([entry]);
    expect(sliced.ids(1)).toEqual(idsOf(...expected.slice(1, 4)));
  },
);

const SPAN = { fromMs: FROM_MS, untilMs: FROM_MS + 5 * MINUTE_MS, buckets: 5 };
const facetsOf = (filter: RowFilter, span = SPAN) => {
  const facets = new RowFacets(filter, span);
  facets.add(entries);
  return facets.counts;
};

test("counts each value among the requests that match all other facets", () => {
  const all = facetsOf({});
  expect(all).toMatchObject({
    total: 5,
    status: [
      { value: "success", requests: 4 },
      { value: "error", requests: 1 },
    ],
    model: [
      { value: "llama3.2", requests: 4 },
      { value: "mistral", requests: 1 },
    ],
    box: [
      { value: "atlas", requests: 4 },
      { value: "basil", requests: 1 },
    ],
    key: [{ value: "k1", requests: 1 }],
    kind: [{ value: "chat", requests: 5 }],
  });
  const errors = facetsOf({ status: "error", box: "atlas" });
  expect(errors).toMatchObject({
    total: 1,
    status: [
      { value: "success", requests: 3 },
      { value: "error", requests: 1 },
    ],
    model: [{ value: "llama3.2", requests: 1 }],
    box: [{ value: "atlas", requests: 1 }],
  });
});

test("counts a model under one name, with and without its tag", () => {
  expect(facetsOf({ model: "llama3.2" }).total).toBe(4);
  expect(facetsOf({ model: "llama3.2:latest" }).model[0]).toEqual({
    value: "llama3.2",
    requests: 4,
  });
});

test("counts requests by time and status, and none outside of the span", () => {
  expect(facetsOf({}).histogram).toEqual({
    from: "2026-06-01T00:00:00.000Z",
    bucket_ms: MINUTE_MS,
    success: [1, 1, 0, 1, 1],
    error: [0, 0, 1, 0, 0],
    cancelled: [0, 0, 0, 0, 0],
  });
  const late = { fromMs: FROM_MS + MINUTE_MS, untilMs: FROM_MS + 3 * MINUTE_MS, buckets: 1 };
  expect(facetsOf({}, late).histogram.success).toEqual([1]);
  const nothing = { fromMs: FROM_MS, untilMs: FROM_MS, buckets: 2 };
  expect(facetsOf({}, nothing).histogram).toMatchObject({ bucket_ms: 1, success: [1, 0] });
});
