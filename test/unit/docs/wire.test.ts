/** The times in the page about the wire, compared with the limits that they describe. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../../local/edge.ts";
import * as limits from "../../../protocol/limits.ts";

const page = readFileSync(join(ROOT, "protocol/README.md"), "utf8");
const all: Record<string, unknown> = { ...limits };

test("the page about the wire has the times of the limits that it names", () => {
  const named = Array.from(page.matchAll(/`([A-Z_]+_MS)`/g), ([, name]) => name ?? "");
  const stated = Array.from(page.matchAll(/([\d.]+)\ss\s\(`([A-Z_]+_MS)`\)/g), ([, s, name]) => [
    name,
    Number(s) * 1_000,
  ]);
  expect(stated).toEqual(named.map((name) => [name, all[name]]));
  expect(named).toContain("AGENT_FIRST_MS");
});
