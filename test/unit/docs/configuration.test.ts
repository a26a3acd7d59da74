/** The tables of `docs/configuration.md` against the schemas that parse the variables. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { pageWithTables } from "../../../local/configuration-page.ts";
import { ROOT } from "../../../local/edge.ts";

test("the committed tables are what the schemas generate (otherwise: npm run generate)", () => {
  const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
  expect(page).toBe(pageWithTables(page));
});

const PAGE = `# Title

## One

Text.

| variable | default | meaning |
| --- | --- | --- |
| \`OLD\` | \`1\` | gone |

More text.

## Two

| variable | value |
`;

test("writes a default in code, and one that depends on the machine as text", () => {
  const variables = {
    A: z.string().describe("required"),
    B: z.string().default("$&").transform(Number).describe("parsed"),
    C: z.string().optional().meta({ fallback: "the host name", description: "a name" }),
    D: z.string().default("").describe("empty"),
  };
  expect(pageWithTables(PAGE, { One: variables })).toBe(
    PAGE.replace(
      "| `OLD` | `1` | gone |",
      () => `| \`A\` | | required |
| \`B\` | \`$&\` | parsed |
| \`C\` | the host name | a name |
| \`D\` | | empty |`,
    ),
  );
});

test.each([
  ["a heading without a table", { Two: {} }, 'There is no table of variables under "Two".'],
  ["a missing heading", { Three: {} }, 'There is no table of variables under "Three".'],
  ["a variable without a description", { One: { A: z.string() } }, "A has no description"],
])("refuses %s", (_what, tables, message) => {
  expect(() => pageWithTables(PAGE, tables)).toThrow(message);
});
