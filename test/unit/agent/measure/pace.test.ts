import { expect, test } from "vitest";
import { meterOf } from "../../../../agent/measure/meter.ts";
import { answerPaceOf } from "../../../../agent/measure/pace.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const part = (content: string) => bytes(`${JSON.stringify({ message: { content } })}\n`);

/** An answer of Ollama with a part at each of these times. */
function answered(...timesMs: number[]) {
  const meter = meterOf({
    endpoint: "/api/chat",
    api: "ollama",
    stream: true,
    hideUsage: false,
    keepText: false,
    startMs: 0,
  });
  meter.head(200, "application/x-ndjson", 0);
  for (const atMs of timesMs) meter.data(part("word"), atMs);
  return meter.arrival();
}

test.each([
  ["is unknown before the first token", [], 900, ["prefill", null, null]],
  ["is unknown with one token", [1_000], 1_500, ["decode", 1, null]],
  ["counts from the first token", [1_000, 1_100, 1_200], 1_200, ["decode", 3, 10]],
  ["falls while the answer stands still", [1_000, 1_100, 1_200], 3_000, ["decode", 3, 1]],
] as const)("the pace of an answer %s", (_name, timesMs, nowMs, expected) => {
  const { phase, completion_tokens, tokens_per_second } = answerPaceOf(answered(...timesMs), nowMs);
  expect([phase, completion_tokens, tokens_per_second]).toEqual(expected);
});
