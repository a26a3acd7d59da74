/** The single executable of this platform, on a machine whose PATH has no Node. */

import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { AGENT_VERSION } from "../../agent/version.ts";
import { Child } from "../../local/processes.ts";
import { startReaper } from "../../local/reaping.ts";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { builtAgent, UpdatedBox } from "../support/updated-box.ts";

const EXECUTABLE = resolve(`dist/executable/ollama-edge-agent-${process.platform}-${process.arch}`);
const NO_NODE = { PATH: "/nonexistent" };
const ADMIN = "admin-key-0123456789";

function printed(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(EXECUTABLE, args, {
    encoding: "utf8",
    env: { ...NO_NODE, ...env },
  });
  return { status, text: stdout + stderr };
}

test("is one file, prints its version, and keeps NODE_OPTIONS out", () => {
  expect(statSync(EXECUTABLE).mode & 0o111).not.toBe(0);
  expect(printed(["--version"])).toEqual({ status: 0, text: `${AGENT_VERSION}\n` });
  expect(printed(["--version"], { NODE_OPTIONS: "--require=/nonexistent.cjs" })).toEqual({
    status: 0,
    text: `${AGENT_VERSION}\n`,
  });
  expect(printed(["--hlep"])).toMatchObject({ status: 2, text: expect.stringContaining("--help") });
});

test("joins, serves a call, shows its status, and refuses the agent that it runs already", async () => {
  const ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 2 });
  await using stack = await TestStack.start({ AUTH_MODE: "keys", ADMIN_KEY: ADMIN });
  const reaper = startReaper();
  const headers = { authorization: `Bearer ${ADMIN}` };
  const post = (path: string, body: object = {}) =>
    stack.json(path, { method: "POST", headers, body: JSON.stringify(body) });
  const { code } = (await post("/api/boxes/join")) as { code: string };
  const env = {
    ...NO_NODE,
    BOX_NAME: "atlas",
    OLLAMA_HOST: ollama.url,
    STATE_DIR: join(temporaryFolder("executable-"), "state"),
  };
  const agent = new Child(
    { name: "executable", program: EXECUTABLE, args: ["join", stack.url, code], env },
    reaper,
  );
  const box = async () => {
    const { boxes } = (await stack.json("/api/boxes", { headers })) as {
      boxes: { models: unknown[]; update: { state: string; reason: string } | null }[];
    };
    return boxes[0];
  };
  try {
    await eventually(
      async () => (await box())?.models.length === 1,
      () => agent.tail().join("\n"),
    );
    const answer = await fetch(`${stack.url}/ollama/api/chat`, {
      method: "POST",
      headers,
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }),
    });
    expect((await answer.text()).trim().split("\n").at(-1)).toContain('"done":true');
    expect(printed(["status"], env)).toMatchObject({
      status: 0,
      text: expect.stringMatching(/^Agent +\S+, the version of its edge$/m),
    });
    await post("/api/boxes/atlas/update");
    const update = await eventually(async () => {
      const { update: report } = (await box()) ?? {};
      return report?.state === "failed" && report;
    });
    expect(update.reason).toBe("the agent runs this file already");
  } finally {
    await agent.stop(5_000);
    reaper.close();
    await ollama.close();
  }
});

test("returns to the agent inside from a broken update, and runs one that works", async () => {
  await using box = await UpdatedBox.start(
    new Uint8Array(),
    { executable: EXECUTABLE, env: NO_NODE },
    AGENT_VERSION,
  );
  const before = box.edge.hellos.length;
  box.offer(await builtAgent("9.0.2", "process.exit(3);"), "9.0.2");
  expect(await box.reported("rolled_back")).toMatchObject({ version: "9.0.2" });
  await box.connected(AGENT_VERSION, before);

  box.offer(await builtAgent("9.0.3"), "9.0.3");
  await box.connected("9.0.3");
  expect(await box.reported("updated")).toMatchObject({ version: "9.0.3", reason: null });
  expect(printed(["status"], { STATE_DIR: box.stateDir }).text).toMatch(/^Agent +9\.0\.3/m);

  // A restart of the service runs the update again.
  await box.restart();
  expect(box.hello().agent_version).toBe("9.0.3");
});

test("runs an installed agent.mjs as Node does, and returns to it from a broken update", async () => {
  const options = { runtime: EXECUTABLE, env: NO_NODE };
  await using box = await UpdatedBox.start(await builtAgent("0.0.1"), options);
  const before = box.edge.hellos.length;
  box.offer(await builtAgent("0.0.2", "process.exit(3);"), "0.0.2");
  expect(await box.reported("rolled_back")).toMatchObject({ version: "0.0.2" });
  await box.connected("0.0.1", before);
});
