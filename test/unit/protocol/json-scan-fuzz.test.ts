/** Compares the scanner with JSON.parse and with the rules of Go, on generated JSON. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, foundIn, scan } from "./scanned.ts";

/** JSON as programs and people write it: any white space, any escapes. */
const json = fc.json({ maxDepth: 6 }).chain((text) =>
  fc
    .constantFrom<(json: string) => string>(
      (same) => same,
      (same) => JSON.stringify(JSON.parse(same), null, 2),
      (same) => ` \n${same}\t`,
      (same) => same.replace(/[^\x20-\x7e]/g, escaped),
      (same) => `{"model":${same},"stream":[${same}]}`,
    )
    .map((write) => write(text)),
);
const escaped = (char: string): string =>
  `\\u${char.charCodeAt(0).toString(16).padStart(4, "0").toUpperCase()}`;

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("accepts generated JSON, and finds what JSON.parse finds", () => {
  fc.assert(
    fc.property(json, (text) => {
      const value: unknown = JSON.parse(text);
      const found = foundIn(text);
      if (typeof found === "string") throw new Error(found);
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      const fields = isObject ? Object.entries(value) : [];
      for (const [name, inner] of fields)
        if (name === "model" || name === "stream")
          expect(JSON.parse(found[name] ?? "")).toEqual(inner);
      expect(Object.keys(found).length).toBeLessThanOrEqual(fields.length);
    }),
    { numRuns: 2_000, seed: 12 },
  );
});

/** One letter of a name in each way in which Ollama's decoder takes it. */
const written = (letter: string): fc.Arbitrary<string> => {
  const cases = [letter, letter.toUpperCase()];
  if (letter === "k") cases.push("\u212a");
  if (letter === "s") cases.push("\u017f");
  return fc.constantFrom(
    ...cases,
    ...cases.map(escaped),
    ...cases.map((one) => escaped(one).toLowerCase()),
  );
};

test("finds a field in whatever way its letters are written, and no other", () => {
  const other = fc.string({
    unit: fc.constantFrom("m", "o", "l", '"', "\\", "é", "\n"),
    maxLength: 30,
  });
  const key = fc.oneof(
    fc
      .tuple(...Array.from("keep_alive", written))
      .map((letters) => [letters.join(""), true] as const),
    fc
      .tuple(other, ...Array.from("keep_alive", written))
      .map(
        ([first, ...letters]) =>
          [JSON.stringify(first).slice(1, -1) + letters.join(""), first === ""] as const,
      ),
    other.map((one) => [JSON.stringify(one).slice(1, -1), false] as const),
  );
  fc.assert(
    fc.property(key, fc.constantFrom("", " ", '"x":"\\\\",'), ([name, isField], before) => {
      expect(foundIn(`{${before}"${name}":1}`)).toEqual(isField ? { keep_alive: "1" } : {});
    }),
    { numRuns: 5_000, seed: 12 },
  );
});

test("agrees with JSON.parse on JSON that was damaged in one place", () => {
  const damage = fc.constantFrom(...'{}[]",:\\ 0-+.eEntuxé\u0000\n\u007f', "");
  fc.assert(
    fc.property(json, fc.nat(), fc.nat(2), damage, (text, place, length, put) => {
      const at = place % (text.length + 1);
      const damaged = (text.slice(0, at) + put + text.slice(at + length)).toWellFormed();
      const found = scan(damaged);
      // A value may end before the damage. Then its own text must be JSON.
      const end = found.ok ? found.value.to : 0;
      const first = new TextDecoder().decode(bytesOf(damaged).subarray(0, end));
      const isTwice = !found.ok && found.detail.includes("occurs twice");
      if (!isTwice) expect(found.ok).toBe(found.ok ? parses(first) : parses(damaged));
    }),
    { numRuns: 5_000, seed: 12 },
  );
});

test("accepts exactly the strings that are UTF-8", () => {
  const bytes = fc.array(
    fc.oneof(
      fc.integer({ min: 0x7f, max: 0xff }),
      fc.constantFrom(0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(bytes, (inner) => {
      const body = [0x22, ...inner, 0x22];
      expect(scan(body).ok).toBe(isUtf8(Uint8Array.from(body)));
    }),
    { numRuns: 20_000, seed: 12 },
  );
});

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
