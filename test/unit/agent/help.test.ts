import { expect, test } from "vitest";
import * as z from "zod";
import { AgentVariables } from "../../../agent/config.ts";
import { HELP, variablesHelp } from "../../../agent/help.ts";

test("lists every variable with its default, within the width of a terminal", () => {
  for (const name of [...Object.keys(AgentVariables.shape), "LOG_FORMAT"])
    expect(HELP).toMatch(new RegExp(`^  ${name} {2,}\\S`, "m"));
  for (const line of HELP.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
  expect(HELP).not.toMatch(/[`\]]\(/);
});

test("writes descriptions without Markdown, in a column of their own", () => {
  const long = "words ".repeat(20).trim();
  const variables = {
    A: z.string().default("x").describe("the `a`, see [the page](page.md#a)"),
    LONG: z.string().optional().describe(long),
  };
  expect(variablesHelp(variables)).toBe(`  A                    the a (default: x)
  LONG                 ${"words ".repeat(13).trim()}
                       ${"words ".repeat(7).trim()}`);
});
