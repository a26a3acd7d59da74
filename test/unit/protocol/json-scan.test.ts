import { describe, expect, test } from "vitest";
import { jsonValuesOf, scanJson } from "../../../protocol/json-scan.ts";
import {
  JSON_CONTAINERS_MAX,
  JSON_DEPTH_MAX,
  JSON_ODD_KEYS_MAX,
} from "../../../protocol/limits.ts";
import { bytesOf, foundIn, ROOT, scan } from "./scanned.ts";

const MIB = 1024 * 1024;

describe("as Ollama's decoder does, the scan", () => {
  test.each<[name: string, body: string | number[], fields: Record<string, string>]>([
    ["reads a field", '{"model":"m"}', { model: '"m"' }],
    ["reads a field in any case", '{"MoDeL":"m"}', { model: '"m"' }],
    ["folds the Kelvin sign into k", '{"\u212aeep_alive":0}', { keep_alive: "0" }],
    ["folds the long s into s", '{"\u017ftream":true}', { stream: "true" }],
    ["decodes an escape in a key", '{"\\u006dodel":"m"}', { model: '"m"' }],
    ["decodes a capital escape in a key", '{"\\u004D\\u004fdel":"m"}', { model: '"m"' }],
    ["decodes an escaped Kelvin sign", '{"\\u212Aeep_alive":0}', { keep_alive: "0" }],
    ["decodes an escaped long s", '{"\\u017ftream":true}', { stream: "true" }],
    ["takes no full-width letter for an ASCII one", '{"\uff4dodel":"m"}', {}],
    ["takes no longer name for a field", '{"models":"m","mode":"m"}', {}],
    ["takes no field of a nested object", '{"x":{"model":"m"},"y":[{"model":"m"}]}', {}],
    ["lets the last prompt win", '{"prompt":1,"PROMPT":2}', { prompt: "2" }],
    ["ignores bytes behind the value", '{"model":"m"} {"model":"x"} \u0000', { model: '"m"' }],
    ["ignores what is not text behind the value", [0x7b, 0x7d, 0xff, 0xfe], {}],
    ["skips the four kinds of white space", ' \t\r\n{ "model" :\n"m"\t}\r\n', { model: '"m"' }],
    ["keeps integers beyond 2^53", '{"model":9007199254740993}', { model: "9007199254740993" }],
    ["keeps numbers beyond a double", '{"model":1e999}', { model: "1e999" }],
    ["keeps a negative zero", '{"model":-0}', { model: "-0" }],
    [
      "keeps each escape",
      '{"model":"\\"\\\\\\/\\b\\f\\n\\r\\t"}',
      { model: '"\\"\\\\\\/\\b\\f\\n\\r\\t"' },
    ],
    ["accepts an escaped NUL", '{"model":"\\u0000"}', { model: '"\\u0000"' }],
    ["accepts a pair of surrogates", '{"model":"\\ud83d\\udc0e"}', { model: '"\\ud83d\\udc0e"' }],
    ["accepts half a pair of surrogates", '{"model":"\\ud83d"}', { model: '"\\ud83d"' }],
    ["accepts a DEL", '{"model":"\u007f"}', { model: '"\u007f"' }],
    ["accepts text in any script", '{"model":"ž漢🐎"}', { model: '"ž漢🐎"' }],
    ["accepts an empty key", '{"":1,"model":"m"}', { model: '"m"' }],
    ["reads a value that is not an object", "[1]", {}],
  ])("%s", (_name, body, fields) => {
    expect(foundIn(body)).toEqual(fields);
  });

  test.each<[name: string, body: string | number[], detail: RegExp]>([
    ["an empty body", "", /is empty/],
    ["white space alone", " \n", /is empty/],
    ["a byte order mark", [0xef, 0xbb, 0xbf, 0x7b, 0x7d], /byte order mark.+Send it without/],
    ["half an object", '{"model":', /ends before its first value does/],
    ["half a string", '{"model":"m', /ends before its first value does/],
    ["half an escape", '{"model":"\\', /ends before its first value does/],
    ["a NUL in a string", '{"model":"\u0000"}', /unexpected character at byte 10/],
    ["a line feed in a string", '{"model":"\n"}', /unexpected character at byte 10/],
    ["a NUL between values", '{\u0000"model":"m"}', /unexpected character at byte 1/],
    ["an unknown escape", '{"model":"\\x41"}', /unexpected character at byte 11/],
    ["an escape with three digits", '{"model":"\\u041"}', /unexpected character at byte 15/],
    ["single quotes", "{'model':1}", /unexpected character at byte 1/],
    ["a key without quotes", "{model:1}", /unexpected character at byte 1/],
    ["a comma before the end of an object", '{"a":1,}', /unexpected character at byte 7/],
    ["a comma before the end of an array", '{"a":[1,]}', /unexpected character at byte 8/],
    ["a comment", '{/**/"a":1}', /unexpected character at byte 1/],
    ["a missing colon", '{"a" 1}', /unexpected character at byte 5/],
    ["a missing comma", '{"a":1 "b":2}', /unexpected character at byte 7/],
    ["the wrong bracket", '{"a":[1}', /unexpected character at byte 7/],
    ["a leading zero", '{"a":01}', /unexpected character at byte 6/],
    ["a leading plus", '{"a":+1}', /unexpected character at byte 5/],
    ["a point without digits", '{"a":1.}', /unexpected character at byte 7/],
    ["an exponent without digits", '{"a":1e+}', /unexpected character at byte 8/],
    ["a minus without digits", '{"a":-}', /unexpected character at byte 6/],
    ["a hexadecimal number", '{"a":0x1}', /unexpected character at byte 6/],
    ["NaN", '{"a":NaN}', /unexpected character at byte 5/],
    ["half a word", '{"a":tru}', /unexpected character at byte 8/],
    ["a word in capitals", '{"a":True}', /unexpected character at byte 5/],
    ["UTF-16", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], /not valid UTF-8 at byte 0/],
  ])("refuses %s", (_name, body, detail) => {
    expect(foundIn(body)).toMatch(detail);
  });
});

describe("stricter than Ollama's decoder, the scan", () => {
  test.each<[name: string, body: string]>([
    ["twice", '{"model":"a","model":"b"}'],
    ["in two cases", '{"model":"a","MODEL":"b"}'],
    ["with an escape", '{"model":"a","mode\\u006c":"b"}'],
    ["with a letter in between", '{"Model":"a","x":{"model":1},"mODEL":null}'],
  ])("refuses a guarded field %s", (_name, body) => {
    expect(foundIn(body)).toMatch(/^The field "model" occurs twice.+Send it once\.$/);
  });

  test.each<[name: string, bytes: number[]]>([
    ["a lone continuation byte", [0x80]],
    ["a lead byte without the rest", [0xc3, 0x22]],
    ["an overlong slash in two bytes", [0xc0, 0xaf]],
    ["an overlong slash in three bytes", [0xe0, 0x80, 0xaf]],
    ["an overlong slash in four bytes", [0xf0, 0x80, 0x80, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a code point beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a byte that UTF-8 never uses", [0xf5, 0x80, 0x80, 0x80]],
    ["three bytes of four", [0xf0, 0x9f, 0x90, 0x22]],
  ])("refuses %s", (_name, bytes) => {
    expect(foundIn([0x7b, 0x22, ...bytes, 0x22, 0x3a, 0x31, 0x7d])).toMatch(/not valid UTF-8/);
  });

  test("refuses a deeper nesting than the limit, and accepts the limit", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(scan(nested(JSON_DEPTH_MAX))).toMatchObject({ ok: true });
    expect(foundIn(nested(JSON_DEPTH_MAX + 1))).toMatch(/more than 64 levels deep.+flatter/);
  });

  test("refuses more arrays and objects than the limit, and accepts the limit", () => {
    const many = (count: number) => `{"x":[${"[],".repeat(count - 3)}{}]}`;
    expect(scan(many(JSON_CONTAINERS_MAX))).toMatchObject({ ok: true });
    expect(foundIn(many(JSON_CONTAINERS_MAX + 1))).toMatch(/more than 100000 arrays.+Split it/);
  });

  test("counts a long array of numbers as one", () => {
    expect(scan(`{"context":[${"12345,".repeat(200_000)}1]}`)).toMatchObject({ ok: true });
  });

  test.each<[name: string, unit: string]>([
    ["repeats a field", '"prompt":1,'],
    ["writes a field with an escape", '"\\u0070rompt_":1,'],
    ["writes a key beyond ASCII", '"é":1,'],
  ])(
    "refuses an object that %s more often than the limit, and accepts the limit",
    (_name, unit) => {
      const many = (count: number) => `{"prompt":0,${unit.repeat(count)}"x":1}`;
      expect(scan(many(JSON_ODD_KEYS_MAX))).toMatchObject({ ok: true });
      expect(foundIn(many(JSON_ODD_KEYS_MAX + 1))).toMatch(
        /more than 10000 times\. Send each field/,
      );
    },
  );
});

test.each<[body: string, values: number | RegExp]>([
  ["1", 1],
  ['"[1,2]"', 1],
  ['{"a":"b","c":[1,true,null,{}]}', 7],
  ['[[],-1.5e3,"",false]x', 5],
  ["[1,]", /unexpected character at byte 3/],
])("counts the values of %s", (body, values) => {
  const counted = jsonValuesOf(bytesOf(body));
  if (typeof values === "number") expect(counted).toBe(values);
  else expect(counted).toMatch(values);
});

describe("a hostile body", () => {
  test.each<[name: string, unit: string, head: string]>([
    ["opens arrays", "[", ""],
    ["opens objects", '{"":', ""],
    ["lists empty arrays", "[],", '{"x":['],
    ["lists empty objects", "{},", '{"x":['],
  ])("that %s for 16 MiB is left where it breaks the limit", (_name, unit, head) => {
    const body = Buffer.alloc(16 * MIB, unit);
    body.write(head);
    // Were the scan to go on behind the limit, it would find a byte that is not text.
    body.fill(0xff, head.length + unit.length * (JSON_CONTAINERS_MAX + 1));
    const found = scanJson(body, ROOT, null);
    expect(found.ok ? "" : found.detail).toMatch(/more than (64 levels|100000 arrays)/);
  });

  test.each<[name: string, body: string]>([
    ["one string", `{"prompt":"${"x".repeat(10_000)}"}`],
    ["escapes", `{"prompt":"${"\\n".repeat(5_000)}"}`],
    ["numbers", `{"context":[${"1,".repeat(5_000)}1]}`],
    ["empty strings", `{"input":[${'"",'.repeat(3_000)}""]}`],
    ["fields that are almost guarded", `{${'"stream_":1,'.repeat(1_000)}"x":1}`],
    ["escaped keys", `{${'"\\u0073":1,'.repeat(1_000)}"x":1}`],
    ["white space", `{${" ".repeat(10_000)}}`],
    ["text beyond ASCII", `{"prompt":"${"漢🐎ž".repeat(1_000)}"}`],
  ])("with %s is read at most five times, from its first byte to its last", (_name, body) => {
    let reads = 0;
    const bytes = bytesOf(body);
    const counted = new Proxy(bytes, {
      get(target, key) {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key, target);
      },
    });
    expect(scanJson(counted, ROOT, null).ok).toBe(true);
    expect(reads / bytes.length).toBeLessThan(5);
  });
});
