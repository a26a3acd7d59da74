import { expect, test } from "vitest";
import { OLLAMA_BACK_MS, OllamaPatience } from "../../../../agent/request/patience.ts";

test("does not wait for an Ollama that has never answered", () => {
  expect(new OllamaPatience().refused(0)).toBeNull();
});

test("waits for one that has answered, until the outage is too long", () => {
  const patience = new OllamaPatience();
  patience.answered();
  for (const atMs of [0, 5_000, OLLAMA_BACK_MS - 1])
    expect(patience.refused(1_000_000 + atMs)).toBeGreaterThan(0);
  expect(patience.refused(1_000_000 + OLLAMA_BACK_MS)).toBeNull();
});

test("fails later calls of a long outage at once, and waits again after the next answer", () => {
  const patience = new OllamaPatience();
  patience.answered();
  patience.refused(0);
  expect(patience.refused(3_600_000)).toBeNull();
  patience.answered();
  expect(patience.refused(3_600_001)).toBeGreaterThan(0);
});
