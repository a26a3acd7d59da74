import fc from "fast-check";
import { expect, test } from "vitest";
import { PART_BYTES_MAX } from "../../../../agent/measure/stream-reader.ts";
import { withoutUsage } from "../../../../agent/measure/without-usage.ts";
import { byteByByte, bytes, cutAt, feed, text } from "./feed.ts";
import { START_MS } from "./samples/sample.ts";

const ZEROS = `,"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`;
const REAL = `,"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}`;
const DONE = "data: [DONE]\n\n";
/** Text of a model that looks like usage. JSON escapes its quotes. */
const TRICK = JSON.stringify(
  `Grüß 👋 ,"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`,
);

/** The wire of both endpoints, with requested usage or without. */
const STREAMS: Record<string, (withUsage: boolean) => string> = {
  "/v1/chat/completions": (withUsage) => {
    const head = `data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_ollama","choices":`;
    const chunk = (delta: string, finish: string) =>
      `${head}[{"index":0,"delta":${delta},"finish_reason":${finish}}]}\n\n`;
    const usage = withUsage ? `${head}[]${REAL}}\n\n` : "";
    return `${chunk(`{"role":"assistant","content":${TRICK}}`, "null")}${chunk("{}", `"stop"`)}${usage}${DONE}`;
  },
  "/v1/completions": (withUsage) => {
    const chunk = (choices: string, usage: string) =>
      `data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":${choices},"model":"m","system_fingerprint":"fp_ollama"${usage}}\n\n`;
    const zeros = withUsage ? ZEROS : "";
    const first = chunk(`[{"text":${TRICK},"index":0,"finish_reason":null}]`, zeros);
    const last = chunk(`[{"text":"","index":0,"finish_reason":"stop"}]`, zeros);
    return `${first}${last}${withUsage ? chunk("[]", REAL) : ""}${DONE}`;
  },
};

const answer = (endpoint: string) =>
  ({
    options: { endpoint, api: "openai", stream: true, hideUsage: true },
    contentType: "text/event-stream",
  }) as const;

test.each(Object.entries(STREAMS))(
  "%s: hides requested usage from the caller, byte for byte, and records the counts",
  (endpoint, wire) => {
    const sent = bytes(wire(true));
    const same = (chunks: Uint8Array[]) => {
      const { out, measured } = feed(answer(endpoint), chunks, () => START_MS + 5);
      expect(text(out)).toBe(wire(false));
      expect(measured).toMatchObject({
        prompt_tokens: 11,
        completion_tokens: 3,
        done_reason: "stop",
        error: null,
      });
    };
    same([sent]);
    same(byteByByte(sent));
    fc.assert(
      fc.property(fc.array(fc.nat(sent.length), { maxLength: 12 }), (places) =>
        same(cutAt(sent, places)),
      ),
      { numRuns: 100 },
    );
  },
);

test.each(Object.entries(STREAMS))(
  "%s: passes a stream without usage unchanged",
  (endpoint, wire) => {
    expect(text(feed(answer(endpoint), [bytes(wire(false))]).out)).toBe(wire(false));
  },
);

test("forwards an event with the chunk that completes it", () => {
  const wire = STREAMS["/v1/chat/completions"]?.(true) ?? "";
  const events = wire.split(/(?<=\n\n)/);
  const { out } = feed(answer("/v1/chat/completions"), events.map(bytes));
  expect(out.map((part) => text([part]))).toEqual([events[0], events[1], "", DONE, ""]);
});

test("forwards half an event at the end of a broken stream", () => {
  const { out, measured } = feed(answer("/v1/completions"), [bytes(`data: {"id":"cmpl-1","choi`)]);
  expect(text(out)).toBe(`data: {"id":"cmpl-1","choi`);
  expect(measured.error).toBe("the answer ended without its last event ([DONE])");
});

test("forwards an event that is not JSON", () => {
  const { out, measured } = feed(answer("/v1/completions"), [
    bytes(`data: oops\n\n: ping\n\n${DONE}`),
  ]);
  expect(text(out)).toBe(`data: oops\n\n: ping\n\n${DONE}`);
  expect(measured.error).toBe("the answer has a line that is not JSON");
});

test("forwards bytes as they arrive after an event that is too long to hold", () => {
  const wire = bytes(`data: {"a":1}\n\ndata: "${"x".repeat(PART_BYTES_MAX)}"\n\n${DONE}`);
  const places = Array.from(
    { length: Math.ceil(wire.length / 65_536) },
    (_, index) => 65_536 * index,
  );
  const { out, measured } = feed(answer("/v1/completions"), cutAt(wire, places));
  expect(Buffer.concat(out).equals(wire)).toBe(true);
  expect(measured).toMatchObject({ prompt_tokens: null, error: null });
});

test("passes an error answer unchanged", () => {
  const body = `{"error":{"message":"no"${ZEROS}}}`;
  const { out } = feed(
    { ...answer("/v1/completions"), status: 400, contentType: "application/json" },
    [bytes(body)],
  );
  expect(text(out)).toBe(body);
});

test.each([
  ["a usage in another form", `{"id":1,"usage":{"a":{"b":[1]}}}`, `{"id":1}`],
  ["a usage that is null, as OpenAI itself writes it", `{"id":1,"usage":null}`, `{"id":1}`],
  ["no usage", `{"id":1}`, `{"id":1}`],
  [
    "a usage that is not the last member",
    `{"id":1,"usage":{},"more":2}`,
    `{"id":1,"usage":{},"more":2}`,
  ],
  ["a usage inside another object", `{"id":{"x":1,"usage":{}}}`, `{"id":{"x":1,"usage":{}}}`],
  ["a usage inside a list", `{"id":[{"x":1,"usage":{}}]}`, `{"id":[{"x":1,"usage":{}}]}`],
])("removes exactly the last member: %s", (_kind, json, shown) => {
  for (const end of ["\n\n", "\r\n\r\n"])
    expect(text([withoutUsage(bytes(`data: ${json}${end}`), json, {})])).toBe(
      `data: ${shown}${end}`,
    );
});
