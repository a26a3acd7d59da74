/** Joining with the agent's own program: what it keeps, what others see of it, and how it ends. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Child } from "../../local/processes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";

const ADMIN = "admin-key-0123456789";
const authorization = { authorization: `Bearer ${ADMIN}` };

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 2 });
  stack = await TestStack.start({ AUTH_MODE: "keys", ADMIN_KEY: ADMIN });
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const admin = async (path: string, method = "GET", body?: object) => {
  const init = { method, headers: authorization, ...(body && { body: JSON.stringify(body) }) };
  return (await stack.json(path, init)) as Record<string, unknown>;
};

const newCode = async (): Promise<string> =>
  String((await admin("/api/boxes/join", "POST", {})).code);

const stateOf = async (box: string) => {
  const { boxes } = (await admin("/api/boxes")) as { boxes: Record<string, unknown>[] };
  return boxes.find(({ name }) => name === box);
};

const isUp = (box: string) => async () => {
  const state = await stateOf(box);
  return state?.state === "up" && state.ollama_reachable === true && state;
};

/** Without EDGE_URL: the joining names the edge. BOX_NAME is that of the first joining. */
const spawn = (name: string, args: string[], env: Record<string, string> = {}): Child =>
  stack.spawnAgent({ name, ollamaUrl: ollama.url, args, env: { EDGE_URL: "", ...env } });

const fileOf = (name: string, file: string) => join(stack.folder, name, file);

test("a box joins, renews its certificate, returns after a restart, and leaves", async () => {
  const code = await newCode();
  const agent = spawn("atlas", ["join", stack.url, code]);
  const box = await eventually(isUp("atlas"), () => agent.tail().join("\n"));
  expect(box).toMatchObject({ admission: "certificate", models: [{ name: "m:latest" }] });

  for (const file of ["box-key.pem", "membership.json"])
    expect(statSync(fileOf("atlas", file)).mode & 0o777).toBe(0o600);
  const pem = readFileSync(fileOf("atlas", "box-key.pem"), "utf8");
  const kept = readFileSync(fileOf("atlas", "membership.json"), "utf8");
  const { certificate } = JSON.parse(kept) as { certificate: string };
  const secrets = [...pem.split("\n").filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line))];
  expect(secrets).toHaveLength(1);
  for (const what of ["cmdline", "environ"]) {
    const seen = readFileSync(`/proc/${agent.pid}/${what}`, "utf8");
    for (const secret of [...secrets, certificate]) expect(seen).not.toContain(secret);
  }
  for (const secret of [...secrets, certificate, code])
    expect(stack.output().join("\n")).not.toContain(secret);
  // The edge keeps neither the code nor the certificate.
  for (const file of readdirSync(join(stack.folder, "edge"), { recursive: true, encoding: "utf8" }))
    if (statSync(join(stack.folder, "edge", file)).isFile())
      for (const secret of [...secrets, certificate, code])
        expect(readFileSync(join(stack.folder, "edge", file), "latin1")).not.toContain(secret);

  await agent.stop(5_000);
  writeFileSync(
    fileOf("atlas", "membership.json"),
    kept.replace(/"renew_at_ms":\d+(\.\d+)?/, '"renew_at_ms":0'),
  );
  const again = spawn("atlas", []);
  await eventually(isUp("atlas"), () => again.tail().join("\n"));
  await eventually(async () => {
    const renewed = JSON.parse(readFileSync(fileOf("atlas", "membership.json"), "utf8"));
    return renewed.certificate !== certificate && renewed.renew_at_ms > Date.now();
  });

  const leaving = spawn("atlas", ["leave"]);
  await leaving.ended;
  expect(leaving.tail().join("\n")).toContain("Box atlas left");
  await eventually(async () => (await stateOf("atlas"))?.state === "down");
  expect(readdirSync(join(stack.folder, "atlas"))).not.toContain("box-key.pem");
  await eventually(async () => again.tail().join("\n").includes("was removed from this edge"));
  expect(await stateOf("atlas")).toMatchObject({ admission: null, models: [{ name: "m:latest" }] });
});

test("a join code that is wrong, cut short, or for another edge is explained", async () => {
  const wrong = spawn("basil", ["join", stack.url, `oej_${"0".repeat(28)}_${"0".repeat(32)}`]);
  await wrong.ended;
  expect(wrong.tail().join("\n")).toContain("This edge did not make that join code.");
  const cut = spawn("basil", ["join", stack.url, "oej_123"]);
  await cut.ended;
  expect(cut.tail().join("\n")).toContain("The join code is not complete");
  const elsewhere = spawn("basil", ["join", "http://127.0.0.1:9", await newCode()]);
  await elsewhere.ended;
  expect(elsewhere.tail().join("\n")).toContain("http://127.0.0.1:9 cannot be reached");
});

test("a joined box refuses another edge and another name", async () => {
  const joining = spawn("cedar", ["join", stack.url, await newCode(), "--exit"]);
  await joining.ended;
  expect(joining.tail().join("\n")).toContain(`This machine joined ${stack.url} as box cedar.`);
  for (const [variable, value] of [
    ["EDGE_URL", "https://other.example"],
    ["BOX_NAME", "other"],
  ] as const) {
    const agent = spawn("cedar", [], { [variable]: value });
    await agent.ended;
    expect(agent.tail().join("\n")).toContain(`${variable} is ${value}, but this machine joined`);
  }
  const checking = spawn("cedar", ["--check"]);
  await checking.ended;
  expect(checking.tail().join("\n")).toContain("accepts box cedar");
});
