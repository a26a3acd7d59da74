import fc from "fast-check";
import { expect, test } from "vitest";
import { phasesFrom, segmentsOf } from "../../../../dashboard/shape/waterfall.ts";

const times = {
  latency_ms: 1_000,
  edge_ms: 20,
  tunnel_ms: 40,
  queue_ms: 100,
  load_ms: null,
  prefill_ms: 200,
  decode_ms: 600,
};

test("lists the known phases in order, then the unaccounted time", () => {
  expect(segmentsOf(times).map(({ phase, ms }) => [phase, ms])).toEqual([
    ["edge", 20],
    ["tunnel", 40],
    ["queue", 100],
    ["prefill", 200],
    ["decode", 600],
    ["other", 40],
  ]);
  expect(
    segmentsOf({
      ...times,
      edge_ms: null,
      tunnel_ms: null,
      queue_ms: null,
      prefill_ms: null,
      decode_ms: null,
    }),
  ).toMatchObject([{ phase: "other", part: 1 }]);
  expect(
    segmentsOf({
      ...times,
      latency_ms: 0,
      edge_ms: 0,
      tunnel_ms: 0,
      queue_ms: 0,
      prefill_ms: 0,
      decode_ms: 0,
    }),
  ).toEqual([]);
});

test("never exceeds the whole waterfall, whatever was measured", () => {
  const ms = fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }));
  fc.assert(
    fc.property(
      fc.record({
        latency_ms: fc.double({ min: 0, max: 1e7, noNaN: true }),
        edge_ms: ms,
        tunnel_ms: ms,
        queue_ms: ms,
        load_ms: ms,
        prefill_ms: ms,
        decode_ms: ms,
      }),
      (entry) => {
        const sum = segmentsOf(entry).reduce((total, { part }) => total + part, 0);
        expect(sum).toBeLessThanOrEqual(1 + 1e-9);
        if (sum > 0) expect(sum).toBeGreaterThan(0.99);
      },
    ),
  );
});

test("claims no phase for Ollama that nobody reported", () => {
  const unknown = { ...times, queue_ms: null, prefill_ms: null, decode_ms: null };
  expect(phasesFrom({ ...unknown, phases_source: null })).toBe("unknown");
  expect(phasesFrom({ ...times, phases_source: null })).toBe("ollama"); // an older record
  expect(phasesFrom({ ...times, phases_source: "inferred" })).toBe("inferred");
});
