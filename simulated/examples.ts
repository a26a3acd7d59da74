/**
 * A value that fits a JSON schema: what an obedient model would put into a tool call or a
 * structured answer. Supports only the keywords that callers commonly send.
 */
import * as z from "zod";

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

/**
 * @param name  the name of the value, which decides the word
 * @param mark  stands before each text that the schema leaves open; a tool gets none
 */
export function exampleOf(schema: unknown, name = "", mark = ""): unknown {
  const parsed = Schema.safeParse(schema);
  const word = `${mark} ${wordFor(name)}`.trimStart();
  if (!parsed.success) return word;
  const { type, properties, items, anyOf, minimum } = parsed.data;
  if (parsed.data.const !== undefined) return parsed.data.const;
  if (parsed.data.enum?.[0] !== undefined) return parsed.data.enum[0];
  if (anyOf?.[0] !== undefined) return exampleOf(anyOf[0], name, mark);
  switch (typeof type === "string" ? type : type?.[0]) {
    case "object":
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([key, inner]) => [key, exampleOf(inner, key, mark)]),
      );
    case "array":
      return [exampleOf(items, name, mark)];
    case "integer":
    case "number":
      return Math.max(minimum ?? 0, 7);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return properties === undefined
        ? word
        : exampleOf({ ...parsed.data, type: "object" }, name, mark);
  }
}

const wordFor = (name: string): string =>
  WORDS.find(([pattern]) => pattern.test(name))?.[1] ?? "example";
