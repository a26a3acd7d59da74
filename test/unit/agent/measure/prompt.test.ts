import { expect, test } from "vitest";
import { promptOf } from "../../../../agent/measure/prompt.ts";
import { readBodyOf } from "../../../../protocol/body-reader.ts";
import { PROMPT_CHARS_MAX } from "../../../../protocol/limits.ts";
import { cut } from "../../../../protocol/records.ts";
import { bytes } from "./feed.ts";

/** Reads a body as the agent does. */
function promptIn(endpoint: string, text: string): string | null {
  const { scan, prompt } = readBodyOf(endpoint, bytes(text));
  if (!scan.ok) throw new Error(scan.detail);
  return promptOf(bytes(text), prompt);
}

const IMAGE = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };

const CASES: [endpoint: string, body: unknown, prompt: string | null][] = [
  ["/api/generate", { model: "m", prompt: "Why?", system: "secret", images: ["AAAA"] }, "Why?"],
  ["/api/generate", { model: "m" }, null],
  ["/v1/images/generations", { model: "m", prompt: "A cat", size: "1024x1024" }, "A cat"],
  ["/api/generate", { model: "m", prompt: "" }, null],
  [
    "/api/chat",
    {
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "one" },
        { role: "assistant", content: "a" },
        { role: "user", content: "two", images: ["AAAA"] },
      ],
    },
    "two",
  ],
  [
    "/api/chat",
    {
      messages: [
        { role: "user", content: "ask" },
        { role: "assistant", tool_calls: [] },
        { role: "tool", content: "72" },
      ],
    },
    "ask",
  ],
  ["/api/chat", { messages: [] }, null],
  ["/api/chat", { messages: "no" }, null],
  ["/api/chat", { messages: [7, null, { role: "user", content: 5 }] }, null],
  [
    "/v1/chat/completions",
    {
      messages: [
        {
          role: "user",
          content: [{ type: "text", text: "what" }, IMAGE, { type: "text", text: "is it?" }],
        },
      ],
    },
    "what\nis it?",
  ],
  [
    "/v1/chat/completions",
    {
      messages: [
        { role: "user", content: "look" },
        { role: "user", content: [IMAGE] },
      ],
    },
    "look",
  ],
  [
    "/v1/messages",
    {
      system: "s",
      messages: [
        { role: "user", content: [{ type: "text", text: "run it" }] },
        { role: "assistant", content: [{ type: "tool_use" }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "ok" }] },
      ],
    },
    "run it",
  ],
  ["/v1/completions", { prompt: "Once" }, "Once"],
  ["/v1/responses", { input: "Hi", instructions: "s" }, "Hi"],
  [
    "/v1/responses",
    {
      input: [
        { role: "user", content: "one" },
        {
          type: "message",
          role: "user",
          content: [
            { type: "input_text", text: "two" },
            { type: "input_image", image_url: "data:" },
          ],
        },
        { type: "function_call_output", output: "x" },
      ],
    },
    "two",
  ],
  ["/api/embed", { input: ["a", "b"] }, "a\nb"],
  ["/api/embed", { input: "a" }, "a"],
  ["/api/embeddings", { prompt: "a" }, "a"],
  ["/v1/embeddings", { input: ["a", 7, "b"] }, "a\nb"],
  ["/v1/embeddings", { input: [[1, 2], [3]] }, null],
  ["/api/pull", { model: "m", prompt: "no" }, null],
  ["/api/chat", null, null],
  ["/api/chat", [], null],
];

test.each(CASES)("finds in %s with %j the prompt %j", (endpoint, body, prompt) => {
  expect(promptIn(endpoint, JSON.stringify(body))).toBe(prompt);
});

test("cuts a long prompt and states how much is missing", () => {
  expect(promptIn("/api/generate", JSON.stringify({ prompt: "p".repeat(10_007) }))).toBe(
    `${"p".repeat(10_000)}… [7 more characters cut]`,
  );
});

test.each([
  ["texts in a list", { input: ["ž".repeat(6_000), "🐎".repeat(3_000), '\n"'.repeat(10)] }],
  ["a pair of surrogates", { input: `${"p".repeat(9_999)}🐎🐎` }],
  ["an escaped control character", { input: `${"\u0001".repeat(10_001)}` }],
])("cuts %s exactly where the whole text would be cut", (_name, body) => {
  const whole = [body.input].flat().join("\n");
  expect(promptIn("/api/embed", JSON.stringify(body))).toBe(cut(whole, PROMPT_CHARS_MAX));
});

test("finds the fields of a message in any case, as Ollama does, and the last of a name", () => {
  const message = `{"ROLE":"system","role":"u\\u0073er","content":"one","Content":"two"}`;
  expect(promptIn("/api/chat", `{"Messages":[${message}]}`)).toBe("two");
});
