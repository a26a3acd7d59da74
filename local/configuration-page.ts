/** Writes the tables of variables into `docs/configuration.md`: `npm run generate`. */
import { readFileSync, writeFileSync } from "node:fs";
import { AgentVariables } from "../agent/config.ts";
import { documented, type VariableSchemas } from "../agent/documented-variables.ts";
import { WorkerVariables } from "../worker/settings.ts";
import { LocalVariables } from "./settings.ts";

/** The tables, each by the heading above it. */
const TABLES: Readonly<Record<string, VariableSchemas>> = {
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

const tableOf = (variables: VariableSchemas): string =>
  HEADER +
  documented(variables)
    .map(
      ({ name, description, fallback }) =>
        `| \`${name}\` |${fallback === "" ? "" : ` ${fallback}`} | ${description} |\n`,
    )
    .join("");

if (import.meta.main) {
  const file = new URL("../docs/configuration.md", import.meta.url);
  writeFileSync(file, pageWithTables(readFileSync(file, "utf8")));
}
