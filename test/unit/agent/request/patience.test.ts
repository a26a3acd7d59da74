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

test("reports the first refusal after an answer, and the first answer after that", () => {
  const patience = new OllamaPatience();
  let changes = 0;
  patience.onChange = () => changes++;
  const after = (event: () => void) => {
    event();
    return changes;
  };
  const answered = () => patience.answered();
  const refused = () => void patience.refused(0);
  expect([refused, answered, answered].map(after)).toEqual([0, 0, 0]);
  expect([refused, refused, answered, answered, refused].map(after)).toEqual([1, 1, 2, 2, 3]);
});
