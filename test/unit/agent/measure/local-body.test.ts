import { expect, test } from "vitest";
import { localBodyOf } from "../../../../agent/measure/local-body.ts";
import { bytes, text } from "./feed.ts";

const CHAT = "/v1/chat/completions";

test.each([
  [CHAT, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}`],
  [CHAT, `{"stream":true,"stream_options":{}}`],
  [CHAT, `{"stream":true,"stream_options":null}`],
  [CHAT, `{"stream":true,"stream_options":{"include_usage":false}}`],
  [CHAT, `{"stream":true,"stream_options":{"include_usage":null}}`],
  ["/v1/completions", `{"model":"m","prompt":"Once","stream":true,"seed":0.1}`],
])("%s %s: usage is asked for, and will be hidden", (endpoint, wire) => {
  const { body, hideUsage } = localBodyOf(endpoint, true, bytes(wire));
  expect(hideUsage).toBe(true);
  expect(JSON.parse(text([body]))).toEqual({
    ...JSON.parse(wire),
    stream_options: { include_usage: true },
  });
});

test("another stream option stays", () => {
  const { body } = localBodyOf(
    CHAT,
    true,
    bytes(`{"stream":true,"stream_options":{"include_obfuscation":false}}`),
  );
  expect(JSON.parse(text([body]))).toEqual({
    stream: true,
    stream_options: { include_obfuscation: false, include_usage: true },
  });
});

test.each([
  ["asks itself", CHAT, true, `{"stream":true,"stream_options":{"include_usage":true}}`],
  ["does not stream", CHAT, false, `{"messages":[]}`],
  ["is not one that hides it", "/v1/responses", true, `{"stream":true,"input":"Hi"}`],
  ["is native", "/api/chat", true, `{ "messages" : [] }`],
  [
    "will be refused: the options are no object",
    CHAT,
    true,
    `{"stream":true,"stream_options":"all"}`,
  ],
  [
    "will be refused: the option is no boolean",
    CHAT,
    true,
    `{"stream":true,"stream_options":{"include_usage":"yes"}}`,
  ],
  ["will be refused: it is no object", CHAT, true, `[1]`],
  ["will be refused: it is not JSON", CHAT, true, `{"stream":tr`],
  ["has no body", "/api/tags", false, ""],
])("a request that %s goes to Ollama as the very same bytes", (_why, endpoint, stream, wire) => {
  const given = bytes(wire);
  const { body, hideUsage } = localBodyOf(endpoint, stream, given);
  expect(body).toBe(given);
  expect(hideUsage).toBe(false);
});

test("the prompt comes along", () => {
  expect(localBodyOf("/api/generate", true, bytes(`{"prompt":"Why?"}`)).prompt).toBe("Why?");
});
