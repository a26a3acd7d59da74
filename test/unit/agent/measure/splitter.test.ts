import fc from "fast-check";
import { expect, test } from "vitest";
import { Splitter } from "../../../../agent/measure/splitter.ts";
import { byteByByte, bytes, cutAt } from "./feed.ts";

const split = (endsWith: "line_feed" | "blank_line", chunks: Uint8Array[], bytesMax = 1_000) => {
  const splitter = new Splitter(endsWith, bytesMax);
  const parts = chunks.flatMap((chunk) => splitter.push(chunk)).map(string);
  return { parts, isOverlong: splitter.isOverlong, rest: string(splitter.rest()) };
};
const string = (part: Uint8Array) => Buffer.from(part).toString();

const CASES: [endsWith: "line_feed" | "blank_line", wire: string, parts: string[], rest: string][] =
  [
    ["line_feed", "", [], ""],
    ["line_feed", "a\nbü\r\n\nc", ["a\n", "bü\r\n", "\n"], "c"],
    ["blank_line", "data: a\n\ndata: 👋\n\n", ["data: a\n\n", "data: 👋\n\n"], ""],
    [
      "blank_line",
      "event: x\r\ndata: a\r\n\r\ndata: b\r\n",
      ["event: x\r\ndata: a\r\n\r\n"],
      "data: b\r\n",
    ],
    ["blank_line", "\n\na\n \n\n", ["\n", "\n", "a\n \n\n"], ""],
    ["blank_line", "a\nb\n\r", [], "a\nb\n\r"],
    ["blank_line", "a\n\r\nr\n\n", ["a\n\r\n", "r\n\n"], ""],
  ];

test.each(CASES)("splits at each %s: %j", (endsWith, wire, parts, rest) => {
  expect(split(endsWith, [bytes(wire)])).toEqual({ parts, rest, isOverlong: false });
  expect(split(endsWith, byteByByte(bytes(wire)))).toEqual({ parts, rest, isOverlong: false });
});

test("splits the same for any chunks, and loses nothing", () => {
  const wire = fc
    .array(fc.constantFrom("a", "é", "\n", "\n", "\r\n", "data: x"), { maxLength: 30 })
    .map((list) => list.join(""));
  const endsWith = fc.constantFrom<"line_feed" | "blank_line">("line_feed", "blank_line");
  fc.assert(
    fc.property(endsWith, wire, fc.array(fc.nat(100), { maxLength: 8 }), (ends, text, places) => {
      const whole = split(ends, [bytes(text)]);
      expect(whole.parts.join("") + whole.rest).toBe(text);
      expect(split(ends, cutAt(bytes(text), places))).toEqual(whole);
    }),
  );
});

test("splits a part of exactly the limit, but not one byte more, in one chunk or many", () => {
  const wire = bytes("abc\nabcd\nab\n");
  expect(split("line_feed", [wire], 5)).toEqual({
    parts: ["abc\n", "abcd\n", "ab\n"],
    rest: "",
    isOverlong: false,
  });
  expect(split("line_feed", [wire], 4)).toEqual({
    parts: ["abc\n"],
    rest: "abcd\nab\n",
    isOverlong: true,
  });
  const splitter = new Splitter("line_feed", 4);
  const taken: string[] = [];
  for (const chunk of byteByByte(wire)) {
    if (!splitter.isOverlong) taken.push(...splitter.push(chunk).map(string));
  }
  expect([taken, splitter.isOverlong, string(splitter.rest())]).toEqual([
    ["abc\n"],
    true,
    "abcd\n",
  ]);
});
