import { expect, test } from "vitest";
import { Transcript } from "../../../../agent/measure/transcript.ts";
import { RESPONSE_CHARS_MAX } from "../../../../protocol/limits.ts";
import { RequestRecord } from "../../../../protocol/records.ts";

const transcriptOf = (...parts: Parameters<Transcript["add"]>[0][]) => {
  const transcript = new Transcript();
  for (const part of parts) transcript.add(part);
  return transcript.text;
};

test("writes thinking, text and tool calls in one text", () => {
  expect(
    transcriptOf(
      { thinking: "Where " },
      { thinking: "is it?" },
      { text: "Let me " },
      { text: "look." },
      { calls: [{ name: "weather", argumentsJson: '{"city":"Tokyo"}' }, { name: "clock" }] },
      { isLast: true },
    ),
  ).toBe(
    '<think>Where is it?</think>\n\nLet me look.\n<tool_call>{"name":"weather","arguments":{"city":"Tokyo"}}</tool_call>\n<tool_call>{"name":"clock","arguments":{}}</tool_call>',
  );
});

test.each([
  ["nothing", [], null],
  ["thinking alone", [{ thinking: "Hm" }, { isLast: true }], "<think>Hm</think>"],
  ["thinking that was cut off", [{ thinking: "Hm" }], "<think>Hm"],
  ["a piece of a call without its name", [{ calls: [{ argumentsJson: "{}" }] }], null],
])("writes %s", (_what, parts, text) => {
  expect(transcriptOf(...parts)).toBe(text);
});

test("keeps an answer after long thinking, and fits a record", () => {
  const text = transcriptOf(
    { thinking: "t".repeat(2 * RESPONSE_CHARS_MAX) },
    { text: "a".repeat(2 * RESPONSE_CHARS_MAX) },
    { isLast: true },
  );
  expect(text).toMatch(
    /t… \[75000 more characters cut\]<\/think>\n\na+… \[75\d{3} more characters cut\]$/,
  );
  expect(RequestRecord.shape.response.safeParse(text).success).toBe(true);
});
