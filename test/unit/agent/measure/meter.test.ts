import fc from "fast-check";
import { expect, test } from "vitest";
import { meterOf } from "../../../../agent/measure/meter.ts";
import { WHOLE_BYTES_MAX } from "../../../../agent/measure/readers.ts";
import { PART_BYTES_MAX } from "../../../../agent/measure/stream-reader.ts";
import { RequestRecord } from "../../../../protocol/records.ts";
import { byteByByte, bytes, cutAt, feed, NOTHING_MEASURED, text } from "./feed.ts";
import { START_MS } from "./samples/sample.ts";
import { SAMPLES } from "./samples.ts";

const chat = { endpoint: "/api/chat", api: "ollama", stream: true } as const;
const NDJSON = "application/x-ndjson";
/** The fields of a record that come from the measurement. */
const Recorded = RequestRecord.pick({
  response: true,
  prompt_tokens: true,
  completion_tokens: true,
  ttft_ms: true,
  queue_ms: true,
  load_ms: true,
  prefill_ms: true,
  decode_ms: true,
  done_reason: true,
});
const line = (content: string) =>
  `{"message":{"content":${JSON.stringify(content)}},"done":false}\n`;
const LAST = `{"message":{"content":""},"done":true,"prompt_eval_count":5,"eval_count":2}\n`;

test.each(SAMPLES)("measures $name", (sample) => {
  const chunks = sample.chunks.map(bytes);
  const { out, measured } = feed(sample, chunks);
  expect(measured).toEqual({ ...NOTHING_MEASURED, ...sample.measured });
  expect(text(out)).toBe(sample.chunks.join(""));
  expect(Recorded.safeParse(measured).success, "fits a record").toBe(true);
});

test.each(SAMPLES)("measures and passes the same, however it is cut: $name", (sample) => {
  const wire = bytes(sample.chunks.join(""));
  const oneMoment = () => START_MS + 110;
  const { measured } = feed(sample, [wire], oneMoment);
  const same = (chunks: Uint8Array[]) => {
    const fed = feed(sample, chunks, oneMoment);
    expect(fed.measured).toEqual(measured);
    expect(text(fed.out)).toBe(sample.chunks.join(""));
  };
  same(byteByByte(wire));
  fc.assert(
    fc.property(fc.array(fc.nat(wire.length), { maxLength: 12 }), (places) =>
      same(cutAt(wire, places)),
    ),
    { numRuns: 40 },
  );
});

test("passes the very chunk at once if nothing is hidden", () => {
  const chunk = bytes('{"message":{"con');
  const meter = meterOf({ ...chat, hideUsage: false, keepText: true, startMs: 0 });
  meter.head(200, NDJSON, 1);
  expect(meter.data(chunk, 2)).toBe(chunk);
});

test("measures without keeping text", () => {
  const { measured } = feed({ options: { ...chat, keepText: false }, contentType: NDJSON }, [
    bytes(line("secret") + LAST),
  ]);
  expect(measured).toEqual({
    ...NOTHING_MEASURED,
    prompt_tokens: 5,
    completion_tokens: 2,
    ttft_ms: 110,
  });
});

test("keeps the figures of an answer that was cut off and counts its lines, without an error", () => {
  const meter = meterOf({ ...chat, hideUsage: false, keepText: true, startMs: 0 });
  meter.head(200, NDJSON, 1);
  meter.data(bytes(line("half")), 5);
  expect(meter.measured()).toEqual({
    ...NOTHING_MEASURED,
    response: "half",
    completion_tokens: 1,
    ttft_ms: 5,
  });
});

test("cuts a long response and states how much is missing", () => {
  const lines = Array.from({ length: 60 }, () => line("x".repeat(1_000)));
  const { measured } = feed({ options: chat, contentType: NDJSON }, [bytes(lines.join("") + LAST)]);
  expect(measured.response).toBe(`${"x".repeat(50_000)}… [10000 more characters cut]`);
});

test("cuts a long error", () => {
  const { measured } = feed({ options: chat, contentType: NDJSON }, [
    bytes(`{"error":"${"e".repeat(3_000)}"}\n`),
  ]);
  expect(measured.error).toBe(`${"e".repeat(2_000)}… [1000 more characters cut]`);
});

test.each([
  ["by its content type", { ...chat }, "Application/X-NDJSON; charset=utf-8"],
  ["without a content type from the native API", { ...chat }, null],
])("recognises a stream of lines %s", (_how, options, contentType) => {
  expect(feed({ options, contentType }, [bytes(line("a") + LAST)]).measured.completion_tokens).toBe(
    2,
  );
});

test("recognises an event stream and a whole object without a content type", () => {
  const v1 = { endpoint: "/v1/chat/completions", api: "openai" } as const;
  const choice = (inner: string) => `{"choices":[{${inner},"finish_reason":"stop"}]}`;
  const streamed = feed({ options: { ...v1, stream: true }, contentType: "" }, [
    bytes(`data: ${choice('"delta":{"content":"a"}')}\n\ndata: [DONE]\n\n`),
  ]);
  const whole = feed({ options: { ...v1, stream: false }, contentType: null }, [
    bytes(choice('"message":{"content":"a"}')),
  ]);
  for (const { measured } of [streamed, whole])
    expect(measured).toMatchObject({ response: "a", done_reason: "stop", error: null });
});

test("reports an empty answer of an inference endpoint as an error", () => {
  const { measured } = feed(
    { options: { ...chat, stream: false }, contentType: "application/json" },
    [],
  );
  expect(measured.error).toBe("the answer is empty");
});

test("passes a line that is too long, and leaves its figures unknown without an error", () => {
  const huge = bytes(line("x".repeat(PART_BYTES_MAX)));
  const wire = Buffer.concat([bytes(line("a")), huge, bytes(LAST)]);
  const places = Array.from(
    { length: Math.ceil(wire.length / 65_536) },
    (_, index) => 65_536 * index,
  );
  for (const chunks of [[wire], cutAt(wire, places)]) {
    const { out, measured } = feed({ options: chat, contentType: NDJSON }, chunks);
    expect(measured).toEqual({ ...NOTHING_MEASURED, response: "a", ttft_ms: 110 });
    expect(Buffer.concat(out).equals(wire)).toBe(true);
  }
});

test("passes an object that is too long, and leaves its figures unknown without an error", () => {
  const wire = bytes(`{"message":{"content":"${"x".repeat(WHOLE_BYTES_MAX)}"},"done":true}`);
  const { out, measured } = feed(
    { options: { ...chat, stream: false }, contentType: "application/json" },
    [wire],
  );
  expect(measured).toEqual(NOTHING_MEASURED);
  expect(out[0]).toBe(wire);
});

const NAMES = [
  "message",
  "content",
  "done",
  "done_reason",
  "eval_count",
  "error",
  "choices",
  "delta",
  "usage",
  "type",
  "response",
  "status",
];
const VALUES = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(
      null,
      true,
      -1,
      1.5,
      1e300,
      "",
      "error",
      "response.completed",
      "message_delta",
      "x".repeat(100),
    ),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("value"), { maxKeys: 5 }),
  ),
})).value;

test("passes any JSON without throwing, and keeps the record valid", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SAMPLES),
      fc.array(VALUES, { maxLength: 4 }),
      (sample, values) => {
        const isEvents = sample.contentType.startsWith("text/event-stream");
        const parts = values.map((value) =>
          isEvents ? `data: ${JSON.stringify(value)}\n\n` : `${JSON.stringify(value)}\n`,
        );
        const { out, measured } = feed(sample, parts.map(bytes));
        expect(text(out)).toBe(parts.join(""));
        expect(Recorded.safeParse(measured).error).toBeUndefined();
      },
    ),
    { numRuns: 500 },
  );
});

test("reports an error page of any length as an error", () => {
  const { measured } = feed({ options: chat, status: 502, contentType: "text/html" }, [
    bytes("x".repeat(100_000)),
  ]);
  expect(measured.error).toBe("Ollama answered HTTP 502 with a text too long to keep");
});
