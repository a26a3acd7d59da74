import fc from "fast-check";
import { expect, test } from "vitest";
import { scanJson } from "../../../protocol/json-scan.ts";
import { isText, textOf } from "../../../protocol/json-text.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: fc.constantFrom("\\", '"', "a", "ž", "🐎", "\n"), maxLength: 200 }),
);

/** Writes each character as an escape. */
const escaped = (whole: string): string =>
  `"${Array.from({ length: whole.length }, (_, i) => `\\u${whole.charCodeAt(i).toString(16).padStart(4, "0")}`).join("")}"`;

test("cuts a text at any length, and counts the whole of it", () => {
  fc.assert(
    fc.property(text, fc.nat(220), fc.boolean(), (whole, charsMax, isEscaped) => {
      const bytes = bytesOf(isEscaped ? escaped(whole) : JSON.stringify(whole));
      let counted = -1;
      const found = (_: null, _from: number, _to: number, chars: number) => {
        counted = chars;
      };
      expect(scanJson(bytes, { found }, null).ok).toBe(true);
      expect(counted).toBe(whole.length);
      expect(textOf(bytes, { from: 0, to: bytes.length }, charsMax)).toBe(whole.slice(0, charsMax));
    }),
    { numRuns: 3_000, seed: 12 },
  );
});

test.each<[json: string, text: string, isWhole: boolean, isBeginning: boolean]>([
  ['"user"', "user", true, true],
  ['"\\u0075se\\u0072"', "user", true, true],
  ['"users"', "user", false, true],
  ['"use"', "user", false, false],
  ['"User"', "user", false, false],
  ['""', "user", false, false],
  ['"\\nser"', "user", false, false],
  ["12", "user", false, false],
])("compares %s with %s", (json, wanted, isWhole, isBeginning) => {
  const bytes = bytesOf(json);
  const slice = { from: 0, to: bytes.length };
  expect(isText(bytes, slice, wanted)).toBe(isWhole);
  expect(isText(bytes, slice, wanted, false)).toBe(isBeginning);
});
