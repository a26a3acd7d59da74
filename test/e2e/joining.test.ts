/** Joining with the agent's own program: what it keeps, what others see of it, and how it ends. */
import { spawn as spawnProcess } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../local/edge.ts";
import type { Child } from "../../local/processes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { builtAgent } from "../support/updated-box.ts";

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
  const kept = readFileSync(fileOf("atlas", "membership.json"), "utf8");
  const lineAgain = spawn("atlas", ["join", stack.url, code]);
  await lineAgain.ended;
  expect(lineAgain.tail().join("\n")).toContain(`has joined ${stack.url} as box atlas`);
  expect(readFileSync(fileOf("atlas", "membership.json"), "utf8")).toBe(kept);
  const { certificate } = JSON.parse(kept) as { certificate: string };
  const secrets = keyLinesOf("atlas");
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
  await eventually(async () => again.tail().join("\n").includes("Join again with a new code"));
  expect(await stateOf("atlas")).toMatchObject({ admission: null, models: [{ name: "m:latest" }] });
});

test("a code that is typed at a terminal and a key that is used are in no argument, environment, log or file", async () => {
  const code = await newCode();
  const key = await usedKey();
  const stateDir = join(stack.folder, "elder");
  // `script` gives the agent a terminal of its own.
  const terminal = spawnProcess("script", ["-qefc", '"$NODE" "$AGENT" join "$EDGE"', "/dev/null"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      NODE: process.execPath,
      AGENT: join(ROOT, "agent/main.ts"),
      EDGE: stack.url,
      BOX_NAME: "elder",
      OLLAMA_HOST: ollama.url,
      STATE_DIR: stateDir,
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
    },
  });
  let shown = "";
  terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  try {
    await eventually(
      async () => shown.includes("Join code: "),
      () => shown,
    );
    const prompted = shown.length;
    terminal.stdin.write(`${code}\r`);
    await eventually(isUp("elder"), () => shown);
    const [, afterwards = ""] = shown.slice(prompted).split("This machine joined");
    expect(afterwards).toContain("as box elder.");
    const { certificate } = JSON.parse(readFileSync(fileOf("elder", "membership.json"), "utf8"));
    const secrets = [code, certificate, key, ...keyLinesOf("elder")];
    for (const secret of secrets) expect(stack.output().join("\n")).not.toContain(secret);
    for (const secret of secrets) expect(afterwards).not.toContain(secret);
    for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
      for (const what of ["cmdline", "environ"]) {
        const seen = readIfThere(`/proc/${id}/${what}`);
        for (const secret of secrets) expect(seen).not.toContain(secret);
      }
    for (const file of filesBelow(stack.folder)) {
      const isKept = file.startsWith(stateDir) && statSync(file).mode % 0o1000 === 0o600;
      const content = readIfThere(file);
      expect(content).not.toContain(code);
      if (!isKept) for (const secret of secrets) expect(content).not.toContain(secret);
    }
  } finally {
    terminal.stdin.write("\u0003"); // Ctrl-C, as a person ends it
    await new Promise((resolve) => terminal.on("close", resolve));
  }
});

/**
 * Makes a key, and uses it in a header and in the path, until the edge has counted its calls.
 * @returns the part of the key that is secret
 */
async function usedKey(): Promise<string> {
  const { id, key } = await admin("/api/keys", "POST", { name: "Ada", scopes: ["infer"] });
  for (const [path, headers] of [
    ["/ollama/api/generate", { authorization: `Bearer ${key}` }],
    [`/ollama/k/${key}/api/generate`, {}],
  ] as const) {
    const body = JSON.stringify({ model: "no-such", prompt: "hello" });
    const { status } = await fetch(stack.url + path, { method: "POST", headers, body });
    expect(status).toBe(503); // no box is up
  }
  const requests = async () =>
    ((await admin(`/api/keys/${id}`)).usage as { requests: number }).requests;
  await eventually(async () => (await requests()) === 2);
  return String(key).slice(-40);
}

/** The lines of the private key of a box. */
const keyLinesOf = (name: string): string[] =>
  readFileSync(fileOf(name, "box-key.pem"), "utf8")
    .split("\n")
    .filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line));

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

/** Processes and files come and go while others are read. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

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

test("a box is updated to the agent that its edge serves, and its open call is answered whole", async () => {
  const program = join(stack.folder, "older-agent.mjs");
  writeFileSync(program, await builtAgent("0.0.1"));
  const agent = stack.spawnAgent({
    name: "dill",
    ollamaUrl: ollama.url,
    program,
    env: { EDGE_URL: "" },
    args: ["join", stack.url, await newCode()],
  });
  const before = await eventually(isUp("dill"), () => agent.tail().join("\n"));
  expect(before).toMatchObject({ agent_current: false, takes_updates: "yes", update: null });
  const buildOf = async () => (await stateOf("dill"))?.agent_build;
  await expect.poll(buildOf).toBe("other");
  const answer = await fetch(`${stack.url}/ollama/api/generate`, {
    method: "POST",
    headers: { ...authorization, "x-box": "dill" },
    body: JSON.stringify({ model: "m", prompt: "hello", options: { num_predict: 500 } }),
  });
  const text = answer.text();
  expect(await admin("/api/boxes/dill/update", "POST")).toMatchObject({ status: "offered" });
  const last = (await text).trim().split("\n").at(-1) ?? "";
  expect(JSON.parse(last)).toMatchObject({ done: true, eval_count: 500 });
  const isUpdated = async () => {
    const box = await stateOf("dill");
    return (box?.update as { state: string } | null)?.state === "updated" && box;
  };
  const after = await eventually(isUpdated, () => agent.tail().join("\n"));
  expect(after).toMatchObject({ state: "up", agent_current: true, agent_build: "same" });
  expect(after.update).toMatchObject({ reason: null });
  expect(after.connected_at).not.toBe((before as { connected_at: string }).connected_at);
  await agent.stop(10_000);
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
