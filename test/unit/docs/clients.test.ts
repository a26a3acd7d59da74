/** docs/clients.md and the page set up clients with the same lines. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLIENT_SETUPS } from "../../../dashboard/shape/clients.ts";
import { ROOT } from "../../../local/edge.ts";

const DOCUMENT = readFileSync(join(ROOT, "docs/clients.md"), "utf8");

test.each(CLIENT_SETUPS)("docs/clients.md sets up $name with the lines of the page", (setup) => {
  const access = { edge: "https://<edge>", key: "<key>", model: "llama3.2" };
  expect(DOCUMENT).toContain(`### ${setup.name}\n\n${setup.where}\n`);
  expect(DOCUMENT).toContain(`\n${setup.lines(access)}\n\`\`\`\n`);
});
