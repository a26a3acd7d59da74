import fc from "fast-check";
import { expect, test } from "vitest";
import type { RequestRecord } from "../../../../protocol/records.ts";
import { BlobError } from "../../../../worker/counting/blob.ts";
import { Cell, sumOf } from "../../../../worker/counting/cell.ts";
import type { Spent } from "../../../../worker/counting/spent.ts";
import { recordOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;

const known = fc.nat(1e6);
const maybe = fc.option(known);
const records = fc.array(
  fc
    .record({
      status: fc.constantFrom("success", "error", "cancelled"),
      endpoint: fc.constantFrom("/api/chat", "/v1/messages", "/api/tags"),
      source: fc.constantFrom("edge", "bench", null),
      latency_ms: known,
      ttft_ms: maybe,
      queue_ms: maybe,
      load_ms: maybe,
      decode_ms: maybe,
      prompt_tokens: maybe,
      completion_tokens: maybe,
      resumed: fc.nat(5),
      energy_j: maybe,
      prefill_ms: maybe,
      cost: maybe,
      co2_g: maybe,
    })
    .map((rest) => recordOf(NOW, rest)),
  { maxLength: 60 },
);

test("cells of parts add up to the cell of the whole", () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 5 }), (parts) => {
      const merged = sumOf(parts.map(cellOf));
      const whole = cellOf(parts.flat());
      // The time per token is a quotient, so the last digits of its sum depend on the order.
      expect(merged.secondsPerToken.sum).toBeCloseTo(whole.secondsPerToken.sum, 6);
      expect(merged.secondsPerToken.counts).toEqual(whole.secondsPerToken.counts);
      expect({
        ...merged.requests,
        resumes: merged.resumes,
        tokens: [merged.promptTokens, merged.completionTokens],
        decodeMs: merged.decodeMs,
        energy: [merged.energyRequests, merged.energyJ, merged.energyTokens],
        used: merged.lastUsedMs,
      }).toEqual({
        ...whole.requests,
        resumes: whole.resumes,
        tokens: [whole.promptTokens, whole.completionTokens],
        decodeMs: whole.decodeMs,
        energy: [whole.energyRequests, whole.energyJ, whole.energyTokens],
        used: whole.lastUsedMs,
      });
      expect(merged.latency.encode()).toEqual(whole.latency.encode());
      expect(merged.ttft.encode()).toEqual(whole.ttft.encode());
      expect(merged.latencyMs).toEqual(whole.latencyMs);
    }),
  );
});

test("a cell is equal after encoding and decoding", () => {
  fc.assert(
    fc.property(records, (list) => {
      const cell = cellOf(list);
      expect(Cell.decode(cell.encode())).toEqual(cell);
    }),
  );
});

test("decodes any bytes to a cell or throws a BlobError", () => {
  const blob = cellOf([recordOf(NOW)]).encode();
  fc.assert(
    fc.property(fc.nat(blob.length - 1), fc.nat(255), fc.nat(blob.length), (at, byte, length) => {
      const damaged = blob.slice(0, length === 0 ? blob.length : length);
      damaged[at] = byte;
      try {
        Cell.decode(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(BlobError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("rejects a cell of an unknown version", () => {
  const blob = new Cell().encode();
  blob[0] = 9;
  expect(() => Cell.decode(blob)).toThrow("a cell has version 9; this code reads versions up to 4");
});

/** Bytes missing at the end of an old blob: no cost takes one, energy takes 10 (a byte, a double and a byte), and resumes take one. */
const OLD_VERSIONS: [field: string, version: number, lacks: number, resumes: number][] = [
  ["resumes", 1, 12, 0],
  ["energy figures", 2, 11, 3],
];

test.each(OLD_VERSIONS)(
  "reads a cell from before %s were stored",
  (_field, version, lacks, resumes) => {
    const cell = cellOf([recordOf(NOW, { resumed: 3, energy_j: 90 })]);
    expect([cell.resumes, cell.energyJ]).toEqual([3, 90]);
    const before = cell.encode().slice(0, -lacks);
    before[0] = version;
    const read = Cell.decode(before);
    expect([
      read.total,
      read.completionTokens,
      read.resumes,
      read.energyRequests,
      read.energyJ,
    ]).toEqual([cell.total, cell.completionTokens, resumes, 0, 0]);
  },
);

test("reads a cell from before costs were stored", () => {
  const cell = cellOf([recordOf(NOW, { energy_j: 90 })]);
  const before = cell.encode().slice(0, -1);
  before[0] = 3;
  expect(Cell.decode(before)).toEqual(cell);
});

test("the costs of parts add up to the cost of the whole", () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 5 }), (parts) => {
      const merged = sumOf(parts.map(cellOf)).spent;
      const whole = cellOf(parts.flat()).spent;
      for (const [name, sum] of Object.entries(whole))
        expect(merged[name as keyof Spent], name).toBeCloseTo(sum as number, 3);
      expect(merged.promptCost + merged.completionCost).toBeLessThanOrEqual(merged.cost + 1e-3);
    }),
  );
});

test("divides a cost by the time of prefill and decode, and only if both are known", () => {
  const priced = { energy_j: 3_600, cost: 0.5, co2_g: 4, prefill_ms: 100, decode_ms: 300 };
  const cell = cellOf([
    recordOf(NOW, priced),
    recordOf(NOW, { ...priced, decode_ms: null }),
    recordOf(NOW, { ...priced, cost: null, co2_g: null }),
    recordOf(NOW, { ...priced, completion_tokens: null, prompt_tokens: 7, endpoint: "/api/embed" }),
  ]);
  expect(cell.spent).toMatchObject({
    cost: 1.5,
    costJ: 3 * 3_600,
    co2G: 12,
    promptCost: 0.125 + 0.5,
    completionCost: 0.375,
    pricedPromptTokens: 20 + 7,
    pricedCompletionTokens: 100,
  });
});

test("energy per token covers requests with known energy and tokens, and is unknown without any", () => {
  const cell = cellOf([
    recordOf(NOW, { energy_j: 100, completion_tokens: 400 }),
    recordOf(NOW, { energy_j: null, completion_tokens: 5_000 }),
    recordOf(NOW, { energy_j: 20, completion_tokens: 100 }),
    recordOf(NOW, { energy_j: 7, endpoint: "/api/tags" }),
  ]);
  expect([cell.energyRequests, cell.energyJ, cell.energyPerThousandTokensJ]).toEqual([2, 120, 240]);
  expect(cellOf([recordOf(NOW)]).energyPerThousandTokensJ).toBeNull();
});

test.each([
  ["counts", 1e10, { energyRequests: 1, energyJ: 1e10, energyTokens: 20 }],
  ["leaves out", 1e10 + 1, { energyRequests: 0, energyJ: 0, energyTokens: 0 }],
])(
  "%s an energy of %d J, next to the limit of 10 GJ for one request",
  (_verb, energy_j, energy) => {
    const cell = cellOf([recordOf(NOW, { energy_j, completion_tokens: 20 })]);
    expect(cell).toMatchObject({ total: 1, completionTokens: 20, ...energy });
  },
);

test("only inference requests contribute to latency and tokens, but all requests are counted", () => {
  const cell = cellOf([
    recordOf(NOW),
    recordOf(NOW, { endpoint: "/api/tags", status: "error", latency_ms: 9_999 }),
  ]);
  expect(cell.total).toBe(2);
  expect(cell.errorRate).toBe(0.5);
  expect(cell.meanLatencyMs).toBe(1_250);
  expect(cell.latencyMs.count).toBe(1);
  expect([cell.promptTokens, cell.completionTokens]).toEqual([20, 100]);
});

test("the requests of a bench are counted, but move no figure about callers", () => {
  const own = recordOf(NOW, { endpoint: "/api/generate", source: "bench", energy_j: 500 });
  const cell = cellOf([recordOf(NOW), own]);
  const alone = cellOf([recordOf(NOW)]);
  expect(cell.total).toBe(2);
  expect(cell.latency.encode()).toEqual(alone.latency.encode());
  expect(cell.ttft.encode()).toEqual(alone.ttft.encode());
  expect([cell.completionTokens, cell.promptTokens, cell.decodeMs, cell.energyJ]).toEqual([
    alone.completionTokens,
    alone.promptTokens,
    alone.decodeMs,
    0,
  ]);
});

test("only successful inference contributes to latency, but the tokens of all count", () => {
  const cell = cellOf([
    recordOf(NOW),
    recordOf(NOW, { status: "error", latency_ms: 3 }),
    recordOf(NOW, { status: "cancelled", latency_ms: 4 }),
  ]);
  expect([cell.latency.count, cell.latencyMs.count, cell.meanLatencyMs]).toEqual([1, 1, 1_250]);
  expect(cell.completionTokens).toBe(300);
});

test.each([
  ["successful", { prompt_tokens: null, completion_tokens: null }, true],
  ["cancelled after its first token", { status: "cancelled", completion_tokens: 1 }, true],
  ["refused", { status: "error", prompt_tokens: null, completion_tokens: null }, false],
] as const)("a model has %s inference", (_how, rest, hasInference) => {
  expect(cellOf([recordOf(NOW, rest)]).hasInference).toBe(hasInference);
});

test("a model that was only copied or deleted has no inference", () => {
  const cell = cellOf([
    recordOf(NOW, { endpoint: "/api/copy" }),
    recordOf(NOW, { endpoint: "/api/delete" }),
  ]);
  expect([cell.total, cell.hasInference]).toEqual([2, false]);
});

test("unknown values are left out of figures, not counted as 0", () => {
  const unknown = {
    prompt_tokens: null,
    completion_tokens: null,
    ttft_ms: null,
    queue_ms: null,
    load_ms: null,
    decode_ms: null,
  };
  const cell = cellOf([recordOf(NOW, unknown), recordOf(NOW)]);
  expect(cell.ttft.count).toBe(1);
  expect(cell.queueSeconds.count).toBe(1);
  expect(cell.loadSeconds.count).toBe(1);
  expect(cell.decodeRate).toBe(100);
  expect(new Cell().decodeRate).toBeNull();
  expect(new Cell().meanLatencyMs).toBeNull();
  expect(new Cell().errorRate).toBeNull();
});

test("tokens without a decode time do not raise the decode rate", () => {
  expect(
    cellOf([recordOf(NOW), recordOf(NOW, { decode_ms: null, completion_tokens: 5_000 })])
      .decodeRate,
  ).toBe(100);
});

test("absurd figures are left out, so sums cannot overflow", () => {
  const cell = cellOf([
    recordOf(NOW),
    recordOf(NOW, { completion_tokens: Number.MAX_SAFE_INTEGER, latency_ms: Number.MAX_VALUE }),
    recordOf(NOW, {
      energy_j: 1,
      cost: 1,
      prompt_tokens: Number.MAX_SAFE_INTEGER,
      completion_tokens: null,
      prefill_ms: Number.MAX_VALUE,
    }),
  ]);
  expect(cell.total).toBe(3);
  expect(cell.meanLatencyMs).toBe(1_250);
  expect(Cell.decode(cell.encode()).completionTokens).toBe(100);
});

test.each([
  [50, 0],
  [50.01, 1],
  [100, 1],
  [120_000, 10],
  [120_001, 11],
])("a latency of %d ms counts in bucket %d, because edges are inclusive", (latency_ms, bucket) => {
  expect(cellOf([recordOf(NOW, { latency_ms })]).latencyMs.counts[bucket]).toBe(1);
});

function cellOf(list: readonly RequestRecord[]): Cell {
  const cell = new Cell();
  for (const record of list) cell.add(record, Date.parse(record.started_at));
  return cell;
}
