import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readBodyOf } from "../../../protocol/body-reader.ts";
import { textOf } from "../../../protocol/json-text.ts";
import { PROMPT_CHARS_MAX } from "../../../protocol/limits.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const toolIn = (text: string) => readBodyOf("/v1/messages", bytesOf(text)).serverTool;

describe("finds a server tool", () => {
  test.each<[name: string, body: string, tool: string]>([
    ["by its plain name", '{"tools":[{"type":"web_search"}]}', "web_search"],
    ["with a date", '{"tools":[{"name":"s","type":"web_search_20250305"}]}', "web_search_20250305"],
    ["that fetches", '{"tools": [ {"type" : "web_fetch_20250910"} ]}', "web_fetch_20250910"],
    ["behind another tool", '{"tools":[{"type":"custom"},{"type":"web_search"}]}', "web_search"],
    ["in keys of another case", '{"TOOLS":[{"Type":"web_search"}]}', "web_search"],
    ["in a key with a long s", '{"tool\u017f":[{"type":"web_search"}]}', "web_search"],
    ["in escapes", '{"\\u0074ools":[{"t\\u0079pe":"\\u0077eb\\u005fsearch"}]}', "web_search"],
    ["before its other type", '{"tools":[{"type":"web_search","type":"custom"}]}', "web_search"],
    [
      "after braces in a text",
      '{"a":"{[\\"\\\\","tools":[{"d":"]}","type":"web_search"}]}',
      "web_search",
    ],
  ])("%s", (_name, body, tool) => expect(toolIn(body)).toBe(tool));
});

describe("finds no server tool in", () => {
  test.each<[name: string, body: string]>([
    ["a tool of the caller with that name", '{"tools":[{"type":"custom","name":"web_search"}]}'],
    ["a text about it", '{"messages":[{"role":"user","content":"web_search"}]}'],
    ["an earlier result of it", '{"messages":[{"content":[{"type":"web_search_tool_result"}]}]}'],
    ["a schema that describes one", '{"tools":[{"input_schema":{"type":"web_search"}}]}'],
    ["a list of another name", '{"too":[{"type":"web_search"}]}'],
    ["no tools", '{"model":"m"}'],
  ])("%s", (_name, body) => expect(toolIn(body)).toBeNull());
});

test("refuses a body with two lists of tools, so that none goes unread", () => {
  const { scan } = readBodyOf("/v1/messages", bytesOf('{"tools":[],"x":1,"TOOLS":[]}'));
  expect(scan).toMatchObject({
    ok: false,
    detail: expect.stringContaining('"tools" occurs twice'),
  });
});

test("finds server tools only where Ollama runs them", () => {
  const body = bytesOf('{"tools":[{"type":"web_search"}]}');
  expect(readBodyOf("/v1/responses", body).serverTool).toBe("web_search");
  expect(readBodyOf("/api/chat", body).serverTool).toBeNull();
  expect(readBodyOf("/v1/chat/completions", body).serverTool).toBeNull();
});

test("finds exactly the tools that a parser finds, in any JSON", () => {
  const tool = fc.dictionary(
    fc.constantFrom("type", "name", "x"),
    fc.constantFrom("web_x", "y", 1),
  );
  const tools = fc.oneof(fc.array(fc.oneof(tool, fc.jsonValue())), fc.jsonValue());
  const body = fc.record({ a: fc.jsonValue(), tools, web_: fc.string() });
  fc.assert(
    fc.property(body, fc.boolean(), (value, isSpaced) => {
      const list = Array.isArray(value.tools) ? value.tools : [];
      const types = list.map((each) => (each as { type?: unknown } | null)?.type);
      const wanted = types.find((type) => typeof type === "string" && type.startsWith("web_"));
      expect(toolIn(JSON.stringify(value, null, isSpaced ? 1 : 0))).toBe(wanted ?? null);
    }),
    { numRuns: 2_000 },
  );
});

/** The prompt as a program would read it from a tree. */
function promptOfTree(messages: unknown): string {
  let last = "";
  for (const message of Array.isArray(messages) ? messages : []) {
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    if (role !== "user") continue;
    const parts = Array.isArray(content) ? content : [{ type: "text", text: content }];
    const texts = parts
      .filter((part) => part?.type === "text" && typeof part.text === "string")
      .map((part) => part.text as string);
    if (texts.some((text) => text !== "")) last = texts.join("\n");
  }
  return last;
}

const promptIn = (endpoint: string, text: string): { text: string; chars: number } => {
  const bytes = bytesOf(text);
  const { scan, prompt } = readBodyOf(endpoint, bytes);
  if (!scan.ok) throw new Error(scan.detail);
  const texts = prompt.texts.map((slice) => textOf(bytes, slice, Number.POSITIVE_INFINITY));
  const chars = prompt.texts.reduce((sum, slice) => sum + slice.chars + 1, prompt.restChars) - 1;
  return { text: texts.join("\n"), chars: Math.max(0, chars) };
};

const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constant('"\\{[🐎'));

test("finds the last message of the user, as a parser finds it", () => {
  const part = fc.oneof(
    fc.record({ type: fc.constantFrom("text", "image"), text: fc.oneof(text, fc.jsonValue()) }),
    fc.jsonValue(),
  );
  const message = fc.oneof(
    fc.record(
      {
        role: fc.constantFrom("user", "assistant", "tool", 1),
        content: fc.oneof(text, fc.array(part), fc.jsonValue()),
        x: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.oneof(fc.array(message), fc.jsonValue()), fc.boolean(), (messages, isSpaced) => {
      const body = JSON.stringify({ x: [messages], messages }, null, isSpaced ? 1 : 0);
      const tree: unknown = JSON.parse(body).messages;
      expect(promptIn("/api/chat", body)).toEqual({
        text: promptOfTree(tree),
        chars: promptOfTree(tree).length,
      });
    }),
    { numRuns: 3_000, seed: 12 },
  );
});

test("joins a list of texts and leaves out what is not one", () => {
  const item = fc.oneof(text, fc.jsonValue());
  fc.assert(
    fc.property(fc.array(item), (input) => {
      const body = JSON.stringify({ input });
      const texts = (JSON.parse(body).input as unknown[]).filter((one) => typeof one === "string");
      const joined = texts.join("\n");
      expect(promptIn("/api/embed", body)).toEqual({ text: joined, chars: joined.length });
    }),
    { numRuns: 2_000, seed: 12 },
  );
});

test("counts the texts that follow a full prompt, but not those inside other items", () => {
  const full = "x".repeat(PROMPT_CHARS_MAX + 1);
  const input = [full, "ab", ["hidden", { k: "hidden" }], 7, "ž🐎", ""];
  const joined = input.filter((one) => typeof one === "string").join("\n");
  const found = promptIn("/api/embed", JSON.stringify({ input }));
  expect(found).toEqual({ text: full, chars: joined.length });
});

test.each<[body: string, prompt: string]>([
  ['{"prompt":"a","PROMPT":"b"}', "b"],
  ['{"prompt":["a","b"],"prompt":"c"}', "c"],
  ['{"prompt":"a","prompt":7}', ""],
])("lets the last prompt of %s count, as Ollama does", (body, prompt) => {
  expect(promptIn("/api/generate", body).text).toBe(prompt);
});

test.each<[messages: string, prompt: string]>([
  ['[{"role":"user","content":"a","content":"b"}]', "b"],
  ['[{"role":"user","role":"tool","content":"a"}]', ""],
  ['[{"Role":"user","CONTENT":"a"}]', "a"],
  ['[{"role":"user","content":"a"}],"messages":[]', ""],
  ['[[{"role":"user","content":"a"}]]', ""],
])("reads the messages %s as Ollama does", (messages, prompt) => {
  expect(promptIn("/api/chat", `{"messages":${messages}}`).text).toBe(prompt);
});
