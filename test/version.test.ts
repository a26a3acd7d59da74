import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { AGENT_VERSION } from "../agent/version.ts";
import { VERSION } from "../worker/version.ts";

test("worker, agent and package have one version", () => {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync("package.json", "utf8")));
  expect(VERSION).toBe(version);
  expect(AGENT_VERSION).toBe(version);
});
