/** The Worker's table in `docs/configuration.md` against the schema that parses its variables. */
import { expect, test } from "vitest";
import page from "../../../docs/configuration.md?raw";
import { WorkerVariables } from "../../../worker/settings.ts";
import { documentedUnder, variablesOf } from "../../support/settings-tables.ts";

test("documents every variable of the Worker with its default", () => {
  expect(documentedUnder(page, "Worker")).toEqual(variablesOf(WorkerVariables.shape));
});
