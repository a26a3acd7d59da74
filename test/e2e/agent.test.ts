/**
 * The agent as it is installed, one file from the Worker with keys on, and its messages when
 * something is wrong.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { Ollama } from "ollama";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Child } from "../../local/processes.ts";
import { type Reaper, startReaper } from "../../local/reaping.ts";
import { Logs } from "../../protocol/api/logs.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { BOX_NODE } from "../support/box-node.ts";
import { eventually, NOBODY, TestStack, untilStill } from "../support/stack.ts";

const ADMIN = "admin-key-0123456789";
const CALLER = "caller-key-0123456789";
const SECRET = "box-secret-0123456789";

let stack: TestStack;
let ollama: SimulatedOllama;
let reaper: Reaper;
let file = "";
const children: Child[] = [];

beforeAll(async () => {
  reaper = startReaper();
  ollama = await startSimulatedOllama({ models: ["llama3.2:latest"], loadMsPerGb: 0 });
  stack = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: ADMIN,
    CALLER_KEY: CALLER,
    BOX_SECRETS: `home=${SECRET},big=${SECRET}`,
  });
  const answer = await fetch(`${stack.url}/agent/agent.mjs`);
  expect(answer.status).toBe(200);
  file = join(stack.folder, "agent.mjs");
  writeFileSync(file, await answer.text());
});

afterAll(async () => {
  await Promise.all(children.map((child) => child.stop(2_000)));
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
  reaper?.close();
});

function run(args: string[], env: Record<string, string>): { child: Child; lines: string[] } {
  const lines: string[] = [];
  const settings = {
    EDGE_URL: stack.url,
    BOX_NAME: "home",
    BOX_SECRET: SECRET,
    OLLAMA_HOST: ollama.url,
    NVIDIA_SMI: "/nonexistent",
  };
  const child = new Child(
    {
      name: "agent",
      program: BOX_NODE,
      args: [file, ...args],
      env: { PATH: process.env.PATH, ...settings, ...env },
      cwd: stack.folder,
      onLine: (line) => lines.push(line),
    },
    reaper,
  );
  children.push(child);
  return { child, lines };
}
const admin = { authorization: `Bearer ${ADMIN}` };
const isUp = async (name: string) =>
  (
    (await (await fetch(`${stack.url}/api/health`, { headers: admin })).json()) as {
      boxes: { name: string; state: string }[];
    }
  ).boxes.some((box) => box.name === name && box.state === "up");

test("prints its environment with --help, and rejects an unknown option", async () => {
  const help = run(["--help"], {});
  expect(await help.child.ended).toMatchObject({ code: 0 });
  expect(help.lines.join("\n")).toMatch(/EDGE_URL[\s\S]*BOX_SECRET[\s\S]*OLLAMA_HOST/);
  const wrong = run(["--hlep"], {});
  expect(await wrong.child.ended).toMatchObject({ code: 2 });
  expect(wrong.lines.join("\n")).toContain("--help");
});

test("reports with --check which parts work, and fails if a required one does not", async () => {
  const good = run(["--check"], {});
  expect(await good.child.ended).toMatchObject({ code: 0 });
  expect(good.lines.join("\n")).toMatch(/ok +edge .*accepts box home/);
  expect(good.lines.join("\n")).toMatch(/ok +ollama .*0\.\d+\.\d+, 1 model$/m);
  expect(good.lines.join("\n")).toMatch(/none +gpu +nvidia-smi was not found/);
  for (const [env, message] of [
    [{ BOX_SECRET: "wrong-secret-0123456789" }, /FAILED edge .*The secret of box home is wrong/],
    [{ EDGE_URL: NOBODY }, /FAILED edge .*cannot be reached/],
    [{ EDGE_URL: ollama.url }, /FAILED edge .*check EDGE_URL/],
    [{ OLLAMA_HOST: NOBODY }, /FAILED ollama .*does not answer/],
  ] as const) {
    const bad = run(["--check"], env);
    expect(await bad.child.ended, message.source).toMatchObject({ code: 1 });
    expect(bad.lines.join("\n")).toMatch(message);
    expect(bad.lines.join("\n")).not.toContain("wrong-secret");
  }
});

test("shows the running agent with status and top, and states why no agent answers", async () => {
  const STATE_DIR = join(stack.folder, "shown");
  const status = async (...args: string[]) => {
    const { child, lines } = run(["status", ...args], { STATE_DIR });
    const { code } = await child.ended;
    return { code, text: lines.join("\n") };
  };
  const agent = run([], { STATE_DIR });
  await eventually(() => isUp("home"));
  ollama.fault([{ kind: "slow_first_token", ms: 20_000 }]);
  const caller = new AbortController();
  const call = fetch(`${stack.url}/ollama/api/chat`, {
    method: "POST",
    headers: admin,
    body: JSON.stringify({ model: "llama3.2", messages: [{ role: "user", content: "x" }] }),
    signal: caller.signal,
  }).catch(() => null);
  const shown = await eventually(async () => {
    const { code, text } = await status();
    return code === 0 && /1 request in flight/.test(text) && text;
  });
  expect(shown).toMatch(/^Box +home\nEdge +http:\S+, connected for \d+ s/);
  expect(shown).toMatch(/^Agent +(\S+), the version of its edge$/m);
  expect(shown).toMatch(new RegExp(`^Running +for .*as process ${agent.child.pid}$`, "m"));
  expect(shown).toMatch(/^llama3\.2 +(load|prefill) +\d+ s .*\/api\/chat/m);
  expect(JSON.parse((await status("--json")).text)).toMatchObject({
    box: "home",
    edge: { is_up: true, url: stack.url },
    requests: [{ endpoint: "/api/chat", completion_tokens: null }],
  });
  const top = run(["top"], { STATE_DIR });
  await eventually(async () => top.lines.filter((line) => line === "Box       home").length >= 2);
  top.child.signal("SIGINT");
  expect(await top.child.ended).toMatchObject({ code: 0 });
  caller.abort();
  await call;
  ollama.fault([]);

  agent.child.kill();
  await agent.child.ended;
  expect(await status()).toMatchObject({ code: 1, text: expect.stringMatching(/was killed/) });
  const next = run([], { STATE_DIR });
  await eventually(async () => (await status()).code === 0);
  await next.child.stop(5_000);
  expect(await status()).toMatchObject({ code: 1, text: expect.stringMatching(/No agent runs/) });
});

test("logs a wrong secret and a box name in use once, and keeps dialling", async () => {
  const wrong = run([], {
    BOX_SECRET: "wrong-secret-0123456789",
    STATE_DIR: join(stack.folder, "wrong"),
  });
  await eventually(async () => wrong.lines.some((line) => line.includes("tunnel_refused")));
  expect(wrong.lines.join("\n")).toContain("The secret of box home is wrong");
  expect(wrong.child.hasEnded).toBe(false);

  const first = run([], { STATE_DIR: join(stack.folder, "first") });
  await eventually(() => isUp("home"));
  const listed = await (await fetch(`${stack.url}/api/boxes`, { headers: admin })).text();
  expect(listed).toContain('"admission":"secret"');
  expect(listed).toContain('"never_connected":[{"name":"big","admission":"secret"');
  expect(listed).not.toContain(SECRET);
  const second = run([], { STATE_DIR: join(stack.folder, "second") });
  await eventually(async () =>
    second.lines.some((line) => line.includes("another agent is connected as box home")),
  );
  await first.child.stop(5_000);
  // The name is free now.
  await eventually(async () => second.lines.some((line) => line.includes("tunnel_up")));
  await second.child.stop(5_000);
  expect(wrong.lines.filter((line) => line.includes("tunnel_refused"))).toHaveLength(1);
  await wrong.child.stop(5_000);
});

test("exits with the holder's pid if another agent uses the state folder", async () => {
  const first = run([], { STATE_DIR: join(stack.folder, "shared") });
  await eventually(() => isUp("home"));
  const second = run([], { STATE_DIR: join(stack.folder, "shared") });
  expect(await second.child.ended).toMatchObject({ code: 2 });
  expect(second.lines.join("\n")).toMatch(/is in use by another agent \(pid \d+\)/);
  await first.child.stop(5_000);
});

test("accepts a key in the header or in the path, and answers 401 without one", async () => {
  const agent = run([], { STATE_DIR: join(stack.folder, "keys") });
  await eventually(() => isUp("home"));
  const messages = [{ role: "user", content: "Hello" }];
  const sdk = new Ollama({
    host: `${stack.url}/ollama`,
    headers: { Authorization: `Bearer ${CALLER}` },
  });
  expect((await sdk.chat({ model: "llama3.2", messages })).done).toBe(true);
  const cli = new Ollama({ host: `${stack.url}/ollama/k/${CALLER}` });
  expect((await cli.chat({ model: "llama3.2", messages })).done).toBe(true);
  await expect(new Ollama({ host: `${stack.url}/ollama` }).list()).rejects.toMatchObject({
    status_code: 401,
  });
  await expect(sdk.delete({ model: "llama3.2" })).rejects.toMatchObject({ status_code: 403 });
  for (const { headers } of ollama.requests().filter(({ path }) => path === "/api/chat")) {
    expect(headers.host).toBe("localhost:11434");
    expect(JSON.stringify(headers)).not.toContain("key-0123456789");
  }
  const entry = await eventually(async () => {
    const logs = Logs.parse(
      await (await fetch(`${stack.url}/api/stats/logs`, { headers: admin })).json(),
    ).logs;
    return logs.find(({ endpoint, status }) => endpoint === "/api/chat" && status === "success");
  });
  expect(entry.key_id).toBe("caller");
  await agent.child.stop(5_000);
});

test("finishes open requests on SIGTERM and takes no new ones", async () => {
  const agent = run([], { STATE_DIR: join(stack.folder, "drain") });
  await eventually(() => isUp("home"));
  ollama.fault([{ kind: "slow_first_token", ms: 700 }]);
  const call = () =>
    fetch(`${stack.url}/ollama/api/chat`, {
      method: "POST",
      headers: admin,
      body: JSON.stringify({
        model: "llama3.2",
        messages: [{ role: "user", content: "x" }],
        options: { num_predict: 5 },
      }),
    });
  const seen = ollama.requests().length;
  const open = call();
  await eventually(
    async () =>
      ollama.requests().length > seen &&
      ollama.requests().some(({ path }, i) => i >= seen && path === "/api/chat"),
  );
  agent.child.signal("SIGTERM");
  await eventually(async () => (await call()).status === 503);
  const text = await (await open).text();
  ollama.fault([]);
  expect(JSON.parse(text.trim().split("\n").at(-1) ?? "")).toMatchObject({ done: true });
  expect(await agent.child.ended).toMatchObject({ code: 0 });
});

test("passes an answer of any size, and stalls Ollama while the caller does not read", async () => {
  const chunk = randomBytes(256 * 1024); // random, so that compression does not shrink it
  const total = 200 * chunk.length;
  let written = 0;
  const big: Server = createServer(async (request, response) => {
    for await (const _ of request);
    if (request.url !== "/api/show") return void response.end("{}");
    const gone = once(response, "close");
    response.writeHead(200, { "content-type": "application/octet-stream" });
    for (written = 0; written < total && !response.destroyed; written += chunk.length) {
      if (!response.write(chunk)) await Promise.race([once(response, "drain"), gone]);
    }
    response.end();
  });
  await new Promise<void>((resolve) => big.listen(0, "127.0.0.1", resolve));
  const address = big.address();
  const agent = run([], {
    BOX_NAME: "big",
    STATE_DIR: join(stack.folder, "big"),
    OLLAMA_HOST: `127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
  });
  await eventually(() => isUp("big"));
  const answer = await fetch(`${stack.url}/ollama/api/show`, {
    method: "POST",
    headers: { ...admin, "x-box": "big" },
    body: "{}",
  });
  expect(answer.status).toBe(200);
  const reader = answer.body?.getReader();
  await reader?.read();
  // Waits until Ollama stalls: buffers and one window bound the data in transit.
  await untilStill(() => written);
  expect(written).toBeLessThan(total / 2);
  let bytes = 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
    bytes += part.value.length;
  expect(written).toBe(total);
  expect(bytes).toBeGreaterThan(total - 4 * chunk.length);
  await agent.child.stop(2_000);
  big.closeAllConnections();
  big.close();
});
