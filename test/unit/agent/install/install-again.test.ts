/** `install.sh` on a machine that has joined an edge. */
import { readFileSync, writeFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import {
  CODE,
  EDGE_URL,
  envFile,
  install,
  SECRET,
  stateFile,
  useMachine,
} from "../../../support/installing.ts";

useMachine();

const MEMBERSHIP = `{"edge":"${EDGE_URL}","box":"atlas","renew_at_ms":1}`;

beforeEach(() => {
  install({}, [EDGE_URL, CODE]);
  writeFileSync(stateFile("membership.json"), MEMBERSHIP);
});

test("updates the agent, and states as which box it goes on and how to join again", () => {
  const done = install({});
  expect(done).toMatchObject({ status: 0, stderr: "" });
  expect(done.stdout).toContain(`This machine has joined as box atlas of ${EDGE_URL}.\n`);
  expect(done.stdout).toContain(`The machine is still box atlas of ${EDGE_URL}, with the settings`);
  expect(done.stdout).toMatch(/run: sh .*install\.sh <address of the edge> <join code>\n$/);
  expect(readFileSync(stateFile("membership.json"), "utf8")).toBe(MEMBERSHIP);
});

test("keeps the membership if the edge refuses the new code, and states so", () => {
  const done = install({}, ["https://refusing.example", CODE]);
  expect(done.status).toBe(1);
  expect(done.stderr).toContain(`nothing was changed: it is still box atlas of ${EDGE_URL}.`);
  expect(readFileSync(stateFile("membership.json"), "utf8")).toBe(MEMBERSHIP);
  expect(readFileSync(envFile(), "utf8")).toContain(`EDGE_URL=${EDGE_URL}\n`);
});

test("replaces the membership with a new code, and names the box that it was", () => {
  const done = install({}, ["https://other.example", CODE]);
  expect(done.status, done.stderr).toBe(0);
  expect(done.stdout).toContain(`It was box atlas of ${EDGE_URL} before.`);
  expect(readFileSync(stateFile("membership.json"), "utf8")).toContain("https://other.example");
});

test("states that a secret goes before the membership", () => {
  const done = install({ EDGE_URL, BOX_SECRET: SECRET });
  expect(done.stdout).toMatch(/Remove BOX_SECRET from .* to connect as box atlas of/);
});
