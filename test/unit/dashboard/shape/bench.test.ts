import { expect, test } from "vitest";
import { afterBenchEvent, changeText, newBench } from "../../../../dashboard/shape/bench.ts";
import { benchRunOf } from "../../../support/bench-results.ts";

const STARTED = newBench("atlas", "m");

test.each([
  {
    event: { state: "waiting", for: "1 other request is open", left_ms: 42_000 } as const,
    expected: {
      state: "running",
      percent: null,
      text: "Waiting for an idle box: 1 other request is open. Gives up in 42\u202fs.",
    },
  },
  {
    event: { state: "running", step: "load", context: null, done: 0, of: 4 } as const,
    expected: { state: "running", percent: 0, text: "Loading the model" },
  },
  {
    event: { state: "running", step: "measure", context: 128, done: 1, of: 4 } as const,
    expected: { state: "running", percent: 25, text: "Prompts of 128 tokens" },
  },
  {
    event: { state: "done", run: benchRunOf(1) } as const,
    expected: { state: "done", percent: 100, text: "The result is in the table." },
  },
  {
    event: { state: "failed", error: "Ollama: out of memory" } as const,
    expected: { state: "failed", percent: null, text: "Ollama: out of memory" },
  },
])("shows the event $event.state as $expected.text", ({ event, expected }) => {
  expect(afterBenchEvent(STARTED, event)).toEqual({ ...STARTED, ...expected });
});

test.each([
  [0.0312, "+3.12\u202f%"],
  [-0.5, "−50\u202f%"],
  [0, "±0\u202f%"],
  [null, ""],
  [undefined, ""],
])("shows the change %s as %j", (change, text) => {
  expect(changeText(change)).toBe(text);
});
