/** `docs/configuration.md` against the schemas of the agent and of `npm start`; the Worker's is in `test/unit/worker`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AgentVariables } from "../../../agent/config.ts";
import { ROOT } from "../../../local/edge.ts";
import { LocalVariables, WORKER_SETTINGS } from "../../../local/settings.ts";
import { documentedUnder, variablesOf } from "../../support/settings-tables.ts";

const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");

test.each([
  ["Agent", AgentVariables.shape],
  ["npm start and npm run demo", LocalVariables.shape],
])("documents every variable under %s with its default", (heading, shape) => {
  expect(documentedUnder(page, heading)).toEqual(variablesOf(shape));
});

test("npm start passes on every variable that is documented for the Worker", () => {
  const documented = documentedUnder(page, "Worker").map(({ name }) => name);
  expect([...WORKER_SETTINGS].sort()).toEqual(documented);
});

test("reads a default in code, and ignores one that is a description", () => {
  const table =
    "# A\n\n## B\n\n| `X` | `1` | text |\n| `Y` | the host name | text |\n| `Z` | | text |\n\n## C\n\n| `Q` | | text |\n";
  expect(documentedUnder(table, "B")).toEqual([
    { name: "X", fallback: "1" },
    { name: "Y", fallback: "" },
    { name: "Z", fallback: "" },
  ]);
});
