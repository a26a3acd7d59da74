import fc from "fast-check";
import { expect, test } from "vitest";
import { fieldTable, type JsonSlice, scanJson } from "../../../protocol/json-scan.ts";
import { eachItem, kindOf, membersOf, textOf } from "../../../protocol/json-slice.ts";

const NO_FIELDS = fieldTable({ guarded: [], read: [] });

/** Reads a checked value back through the readers of single values. */
function readBack(bytes: Uint8Array, slice: JsonSlice, names: string[]): unknown {
  switch (kindOf(bytes, slice)) {
    case "array": {
      const items: unknown[] = [];
      eachItem(bytes, slice, (item) => items.push(readBack(bytes, item, names)));
      return items;
    }
    case "object": {
      const members = Object.entries<JsonSlice | undefined>(membersOf(bytes, slice, names));
      return Object.fromEntries(
        members.flatMap(([name, value]) => (value ? [[name, readBack(bytes, value, names)]] : [])),
      );
    }
    case "string":
      return textOf(bytes, slice, Number.POSITIVE_INFINITY).text;
    default:
      return JSON.parse(new TextDecoder().decode(bytes.subarray(slice.from, slice.to)));
  }
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: fc.constantFrom("\\", '"', "a", "ž", "🐎", "\n"), maxLength: 200 }),
);

test("reads back what JSON.parse reads, whatever is escaped", () => {
  const names = ["a", "b", "c"];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.constantFrom(null, true, false, 0, -1.5e300),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...names), tie("tree")),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.constantFrom(undefined, 1), (value, space) => {
      const bytes = new TextEncoder().encode(JSON.stringify(value, null, space));
      const scan = scanJson(bytes, NO_FIELDS);
      if (!scan.ok) throw new Error(scan.detail);
      expect(readBack(bytes, scan.value, names)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 2_000, seed: 12 },
  );
});

test("cuts a text at any length, and counts the whole of it", () => {
  fc.assert(
    fc.property(text, fc.nat(220), (whole, charsMax) => {
      const bytes = new TextEncoder().encode(JSON.stringify(whole));
      const { text: start, chars } = textOf(bytes, { from: 0, to: bytes.length }, charsMax);
      expect(chars).toBe(whole.length);
      expect(start).toBe(whole.slice(0, charsMax));
    }),
    { numRuns: 2_000, seed: 12 },
  );
});
