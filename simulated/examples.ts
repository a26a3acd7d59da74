/**
 * A value that fits a JSON schema: what an obedient model would put into a tool call or a
 * structured answer. Supports only the keywords that callers commonly send.
 */
import { z } from "zod";

const Schema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
});

/** Plausible words by the name of a field. */
const WORDS: [pattern: RegExp, word: string][] = [
  [/city|location|place/i, "Paris"],
  [/country/i, "France"],
  [/unit|format/i, "celsius"],
  [/date|day/i, "2026-11-23"],
  [/query|question|search/i, "weather in Paris"],
  [/name/i, "Ada"],
];

/** @param name  the name of the value, which decides the word */
export function exampleOf(schema: unknown, name = ""): unknown {
  const parsed = Schema.safeParse(schema);
  if (!parsed.success) return wordFor(name);
  const { type, properties, items, anyOf, minimum } = parsed.data;
  if (parsed.data.const !== undefined) return parsed.data.const;
  if (parsed.data.enum?.[0] !== undefined) return parsed.data.enum[0];
  if (anyOf?.[0] !== undefined) return exampleOf(anyOf[0], name);
  switch (typeof type === "string" ? type : type?.[0]) {
    case "object":
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([key, inner]) => [key, exampleOf(inner, key)]),
      );
    case "array":
      return [exampleOf(items, name)];
    case "integer":
    case "number":
      return Math.max(minimum ?? 0, 7);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return properties === undefined
        ? wordFor(name)
        : exampleOf({ ...parsed.data, type: "object" }, name);
  }
}

const wordFor = (name: string): string =>
  WORDS.find(([pattern]) => pattern.test(name))?.[1] ?? "example";
