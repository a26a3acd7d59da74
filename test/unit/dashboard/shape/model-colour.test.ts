import { expect, test } from "vitest";
import { MODEL_COLOURS, withColours } from "../../../../dashboard/shape/model-colour.ts";

const NAMES = ["llama3.2", "qwen3:8b", "gpt-oss:20b", "mistral", "gemma3:12b", "llama3.3:70b"];

test("gives models different colours as long as there are enough, whatever their order", () => {
  const colours = withColours({}, NAMES);
  expect(new Set(Object.values(colours)).size).toBe(NAMES.length);
  expect(withColours({}, NAMES.toReversed())).toEqual(colours);
  const many = withColours(
    {},
    Array.from({ length: 40 }, (_, n) => `model-${n}`),
  );
  expect(new Set(Object.values(many)).size).toBe(MODEL_COLOURS);
  for (const colour of Object.values(many)) expect(colour).toBeGreaterThanOrEqual(1);
});

test("keeps the colours that were given before", () => {
  const known = withColours({}, NAMES);
  expect(withColours(known, NAMES)).toBe(known);
  expect(withColours(known, ["constructor", "__proto__x"])).toMatchObject(known);
});
