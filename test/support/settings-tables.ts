/** The variables of a schema, and those of a table in `docs/configuration.md`, in a form to compare. */
import { z } from "zod";

/** `fallback`: the value of a variable that is not set; empty if it has no default. */
export type DocumentedVariable = { name: string; fallback: string };

/** The variables of a schema, sorted by name. */
export const variablesOf = (shape: Record<string, unknown>): DocumentedVariable[] =>
  Object.entries(shape)
    .map(([name, schema]) => ({ name, fallback: defaultOf(schema) }))
    .sort(byName);

/**
 * The variables of the table under a heading, sorted by name. A description of a default, such as
 * "the host name", depends on the machine and is not in the schema.
 */
export function documentedUnder(page: string, heading: string): DocumentedVariable[] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  const rows = own.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`|[^|`]*) ?\|/gm);
  return Array.from(rows, ([, name = "", fallback = ""]) => ({ name, fallback })).sort(byName);
}

const byName = (a: DocumentedVariable, b: DocumentedVariable) => (a.name < b.name ? -1 : 1);

/** The default may be inside a pipe, whose end parses the text further. */
function defaultOf(schema: unknown): string {
  if (schema instanceof z.ZodDefault) return String(schema.def.defaultValue);
  return schema instanceof z.ZodPipe ? defaultOf(schema.def.in) : "";
}
