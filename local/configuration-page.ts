/** Writes the tables of variables into `docs/configuration.md`: `npm run generate`. */
import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { AgentVariables } from "../agent/config.ts";
import { WorkerVariables } from "../worker/settings.ts";
import { LocalVariables } from "./settings.ts";

/** The variables of one program, by name. */
type Variables = Readonly<Record<string, z.ZodType>>;

/** The tables, each by the heading above it. */
const TABLES: Readonly<Record<string, Variables>> = {
  Worker: WorkerVariables.shape,
  Agent: AgentVariables.shape,
  "npm start and npm run demo": LocalVariables.shape,
};

const HEADER = "| variable | default | meaning |\n| --- | --- | --- |\n";

/**
 * Returns the page with each table as its schema has it.
 * @throws {Error} if a heading has no table below it, or a variable no description
 */
export const pageWithTables = (page: string, tables = TABLES): string =>
  Object.entries(tables).reduce(
    (text, [heading, variables]) => withTable(text, heading, tableOf(variables)),
    page,
  );

/** Replaces the first table of a section. */
function withTable(page: string, heading: string, table: string): string {
  const start = page.indexOf(`\n## ${heading}\n`);
  const end = page.indexOf("\n## ", start + 1);
  const at = page.indexOf(HEADER, start);
  if (start < 0 || at < 0 || (end >= 0 && at > end))
    throw new Error(`There is no table of variables under "${heading}".`);
  return page.slice(0, at) + page.slice(at).replace(/^(?:\|.*\n)+/, () => table);
}

const tableOf = (variables: Variables): string =>
  HEADER +
  Object.entries(variables)
    .map(([name, schema]) => rowOf(name, schema))
    .join("");

function rowOf(name: string, schema: z.ZodType): string {
  const { description, fallback } = schema.meta() ?? {};
  if (description === undefined) throw new Error(`${name} has no description in its schema.`);
  const value = defaultOf(schema);
  const shown = value === "" ? (fallback ?? "") : `\`${value}\``;
  return `| \`${name}\` |${shown === "" ? "" : ` ${shown}`} | ${description} |\n`;
}

/** The default as a person would write it. It may be inside a pipe, whose end parses it further. */
function defaultOf(schema: unknown): string {
  if (schema instanceof z.ZodDefault) return String(schema.def.defaultValue);
  return schema instanceof z.ZodPipe ? defaultOf(schema.def.in) : "";
}

if (import.meta.main) {
  const file = new URL("../docs/configuration.md", import.meta.url);
  writeFileSync(file, pageWithTables(readFileSync(file, "utf8")));
}
