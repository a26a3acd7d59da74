import { expect, test } from "vitest";
import { localBodyOf } from "../../../../agent/measure/local-body.ts";
import { readBodyOf } from "../../../../protocol/body-reader.ts";
import { bytes, text } from "./feed.ts";

const CHAT = "/v1/chat/completions";

const localOf = (endpoint: string, stream: boolean, body: Uint8Array) =>
  localBodyOf(endpoint, stream, body, body.length === 0 ? null : readBodyOf(endpoint, body));

test.each([
  [CHAT, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}`],
  [CHAT, `{"stream":true,"stream_options":{}}`],
  [CHAT, `{"stream":true,"stream_options":{ }}`],
  [CHAT, `{"stream":true , "stream_options": null , "n":1 }`],
  [CHAT, `{"stream":true,"stream_options":null}`],
  [CHAT, `{"stream":true,"stream_options":{"include_usage":false}}`],
  [CHAT, `{"stream":true,"stream_options":{"include_usage":null}}`],
  ["/v1/completions", `{"model":"m","prompt":"Once","stream":true,"seed":0.1}`],
])("requests usage for %s %s and hides it later", (endpoint, wire) => {
  const { parts, hideUsage } = localOf(endpoint, true, bytes(wire));
  expect(hideUsage).toBe(true);
  expect(JSON.parse(text([...parts]))).toEqual({
    ...JSON.parse(wire),
    stream_options: { include_usage: true },
  });
  expect(text([...parts]).length - wire.length).toBeLessThan(50);
});

test("keeps another stream option", () => {
  const { parts } = localOf(
    CHAT,
    true,
    bytes(`{"stream":true,"stream_options":{"include_obfuscation":false}}`),
  );
  expect(JSON.parse(text([...parts]))).toEqual({
    stream: true,
    stream_options: { include_obfuscation: false, include_usage: true },
  });
});

test("changes no other byte: numbers, spaces and bytes behind the JSON stay as they are", () => {
  const wire = `{"stream":true, "seed":12345678901234567890,"x":1e20 } \n{"n":`;
  expect(text([...localOf(CHAT, true, bytes(wire)).parts])).toBe(
    `{"stream":true, "seed":12345678901234567890,"x":1e20 ,"stream_options":{"include_usage":true}} \n{"n":`,
  );
});

test.each([
  [
    "requests usage itself in another case",
    CHAT,
    true,
    `{"Stream_Options":{"Include_Usage":true}}`,
  ],
  ["names its options twice", CHAT, true, `{"stream_options":{},"STREAM_OPTIONS":{}}`],
  ["is nested too deeply", CHAT, true, `{"x":${"[".repeat(65)}${"]".repeat(65)}}`],
  ["requests usage itself", CHAT, true, `{"stream":true,"stream_options":{"include_usage":true}}`],
  ["does not stream", CHAT, false, `{"messages":[]}`],
  ["always contains usage", "/v1/responses", true, `{"stream":true,"input":"Hi"}`],
  ["uses the native API", "/api/chat", true, `{ "messages" : [] }`],
  [
    "is invalid: its options are not an object",
    CHAT,
    true,
    `{"stream":true,"stream_options":"all"}`,
  ],
  [
    "is invalid: its option is not a boolean",
    CHAT,
    true,
    `{"stream":true,"stream_options":{"include_usage":"yes"}}`,
  ],
  ["is invalid: it is not an object", CHAT, true, `[1]`],
  ["is invalid: it is not JSON", CHAT, true, `{"stream":tr`],
  ["has no body", "/api/tags", false, ""],
])("a request that %s goes to Ollama as the very same bytes", (_why, endpoint, stream, wire) => {
  const given = bytes(wire);
  const { parts, hideUsage } = localOf(endpoint, stream, given);
  expect(parts).toHaveLength(1);
  expect(parts[0]).toBe(given);
  expect(hideUsage).toBe(false);
});

test("returns the prompt", () => {
  expect(localOf("/api/generate", true, bytes(`{"prompt":"Why?"}`)).prompt).toBe("Why?");
});
