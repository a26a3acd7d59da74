import { expect, test } from "vitest";
import { gpuRow, requestRow } from "../../../../worker/export/rows.ts";
import { gpuOf, recordOf } from "../../../support/records.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
const rowOf = (rest: Parameters<typeof recordOf>[1]) =>
  requestRow(recordOf(NOW, rest), NOW + 1_250);

test("a row has the fields of its record, its end and its total tokens", () => {
  const { tokens_used, finished_at, is_inference, ...rest } = rowOf({});
  expect(rest).toEqual(recordOf(NOW));
  expect({ tokens_used, finished_at, is_inference }).toEqual({
    tokens_used: 120,
    finished_at: "2026-11-24T12:00:01.250Z",
    is_inference: true,
  });
});

test.each([
  [null, null, null],
  [20, null, 20],
  [null, 100, 100],
])(
  "%s prompt tokens and %s completion tokens are %s tokens in total",
  (prompt_tokens, completion_tokens, tokens_used) => {
    expect(rowOf({ prompt_tokens, completion_tokens }).tokens_used).toBe(tokens_used);
  },
);

test("a request that lists models is not inference", () => {
  expect(rowOf({ endpoint: "/api/tags" }).is_inference).toBe(false);
});

test("a request of a bench is stored with its source, and is not inference of a caller", () => {
  const { source, is_inference, completion_tokens } = rowOf({
    endpoint: "/api/generate",
    source: "bench",
  });
  expect({ source, is_inference, completion_tokens }).toEqual({
    source: "bench",
    is_inference: false,
    completion_tokens: 100,
  });
});

test.each([
  ["a NUL", "a\0b", "a\ufffdb"],
  ["half a surrogate pair", "a\ud83db", "a\ufffdb"],
  ["a whole surrogate pair", "a\ud83d\ude00b", "a\ud83d\ude00b"],
  [
    "a prompt of 2 MB",
    "x".repeat(2_000_000),
    `${"x".repeat(10_064)}… [1989936 more characters cut]`,
  ],
])("a row keeps only the text that every store accepts: %s", (_description, prompt, kept) => {
  expect(rowOf({ prompt }).prompt).toBe(kept);
  const sample = gpuOf("atlas", NOW, { name: prompt.slice(0, 100) });
  expect(gpuRow(sample, null).name).toBe(kept.slice(0, 100));
});
