import fc from "fast-check";
import { expect, test } from "vitest";
import { serverToolOf } from "../../../../agent/cloud/server-tools.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const found = (text: string) => serverToolOf("/v1/messages", bytes(text));

const USED: [name: string, body: string, tool: string][] = [
  ["by its plain name", '{"tools":[{"type":"web_search"}]}', "web_search"],
  ["with a date", '{"tools":[{"name":"s","type":"web_search_20250305"}]}', "web_search_20250305"],
  ["that fetches", '{"tools": [ {"type" : "web_fetch_20250910"} ]}', "web_fetch_20250910"],
  ["behind another tool", '{"tools":[{"type":"custom"},{"type":"web_search"}]}', "web_search"],
  ["in a second list", '{"tools":[],"x":1,"tools":[{"type":"web_search"}]}', "web_search"],
  ["in keys of another case", '{"TOOLS":[{"Type":"web_search"}]}', "web_search"],
  ["in a key with a long s", '{"tool\u017f":[{"type":"web_search"}]}', "web_search"],
  ["in escapes", '{"\\u0074ools":[{"t\\u0079pe":"\\u0077eb\\u005fsearch"}]}', "web_search"],
  ["before its other type", '{"tools":[{"type":"web_search","type":"custom"}]}', "web_search"],
  [
    "after braces in a text",
    '{"a":"{[\\"\\\\","tools":[{"d":"]}","type":"web_search"}]}',
    "web_search",
  ],
];
test.each(USED)("finds a server tool %s", (_name, body, tool) => expect(found(body)).toBe(tool));

const UNUSED: [name: string, body: string][] = [
  ["a tool of the caller with that name", '{"tools":[{"type":"custom","name":"web_search"}]}'],
  ["a text about it", '{"messages":[{"role":"user","content":"web_search"}]}'],
  ["an earlier result of it", '{"messages":[{"content":[{"type":"web_search_tool_result"}]}]}'],
  ["a schema that describes one", '{"tools":[{"input_schema":{"type":"web_search"}}]}'],
  ["a body that is not JSON", '{"tools":[{"type":"web_search'],
  ["no tools", '{"model":"m"}'],
];
test.each(UNUSED)("finds no server tool in %s", (_name, body) => expect(found(body)).toBeNull());

test("finds server tools only where Ollama runs them", () => {
  const body = bytes('{"tools":[{"type":"web_search"}]}');
  expect(serverToolOf("/v1/responses", body)).toBe("web_search");
  expect(serverToolOf("/api/chat", body)).toBeNull();
  expect(serverToolOf("/v1/chat/completions", body)).toBeNull();
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
      expect(found(JSON.stringify(value, null, isSpaced ? 1 : 0))).toBe(wanted ?? null);
    }),
    { numRuns: 2_000 },
  );
});
