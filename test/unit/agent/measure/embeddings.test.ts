import { expect, test } from "vitest";
import { byteByByte, bytes, cutAt, feed, NOTHING_MEASURED } from "./feed.ts";

const embed = {
  options: { endpoint: "/api/embed", api: "ollama", stream: false },
  contentType: "application/json",
} as const;
const vectors = (count: number) =>
  JSON.stringify(
    Array.from({ length: count }, () => Array.from({ length: 768 }, (_, i) => i / 1_000)),
  );
const FIGURES = `"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8`;

test("counts the tokens of many vectors without parsing them", () => {
  const wire = bytes(`{"model":"e","embeddings":${vectors(400)},${FIGURES}}\n`);
  const places = Array.from({ length: 400 }, (_, index) => 4_099 * index);
  for (const chunks of [[wire], cutAt(wire, places)]) {
    const { measured } = feed(embed, chunks);
    expect(measured).toEqual({
      ...NOTHING_MEASURED,
      prompt_tokens: 8,
      load_ms: 1.02,
    });
  }
});

test("measures embeddings the same byte by byte", () => {
  const wire = bytes(`{"model":"e","embeddings":${vectors(3)},${FIGURES}}`);
  expect(feed(embed, byteByByte(wire)).measured).toEqual(feed(embed, [wire]).measured);
});

test.each([
  ["in its vectors, if it is long", `{"model":"e","embeddings":${vectors(4).slice(0, -100)}`],
  ["in its vectors, if it is short", `{"model":"e","embeddings":[[0.1,0.`],
  ["in its figures", `{"model":"e","embeddings":${vectors(4)},"total_dura`],
  ["before its last brace", `{"model":"e","embeddings":${vectors(4)},${FIGURES}`],
  ["before its first byte", ""],
])("an answer that ended %s is an error", (_where, wire) => {
  expect(feed(embed, [bytes(wire)]).measured).toMatchObject({
    prompt_tokens: null,
    error: "the answer is not JSON, or ended in the middle",
  });
});

test("leaves figures in an unexpected place unknown, without an error", () => {
  const { measured } = feed(embed, [
    bytes(`{"prompt_eval_count":8,"embeddings":${vectors(4)},"notes":{"of":"another","kind":[1]}}`),
  ]);
  expect(measured).toEqual(NOTHING_MEASURED);
});

test("reads an object with spaces between its members", () => {
  const wire = `{\n  "model": "e",\n  "embeddings": [\n${"    [0.01],\n".repeat(1_000)}    [1]\n  ],\n  "prompt_eval_count": 8\n}\n`;
  expect(feed(embed, [bytes(wire)]).measured).toMatchObject({ prompt_tokens: 8, error: null });
});
