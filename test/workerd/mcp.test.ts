/** `/mcp`, used by the official client. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { expect, test } from "vitest";
import { benchResultOf } from "../support/bench-results.ts";
import { FakeBox, SUCCESS } from "./fake-box.ts";
import { ADMIN, bearer, CALLER, call, keys, READ, STATS, UNKNOWN } from "./keyed-edge.ts";

const PATH = "/mcp";

async function connected(key: string): Promise<Client> {
  const client = new Client({ name: "test", version: "1.0.0" });
  const url = new URL(`https://edge.example${PATH}`);
  await client.connect(
    new StreamableHTTPClientTransport(url, {
      requestInit: { headers: bearer(key) },
      fetch: (_url, init) => call(PATH, init),
    }),
  );
  return client;
}

async function answerOf(client: Client, name: string, given: Record<string, unknown> = {}) {
  const { content, isError } = await client.callTool({ name, arguments: given });
  const [first] = content as { type: "text"; text: string }[];
  return { isError, json: JSON.parse(first?.text ?? "null") };
}

test("an operator reads the fleet, changes a setting, and the audit log has the change", async () => {
  await using _box = await FakeBox.connect("atlas", ["qwen3:8b"]);
  const client = await connected(ADMIN);
  expect(client.getServerVersion()).toMatchObject({ name: "ollama-edge-serve" });
  const { json: health } = await answerOf(client, "health");
  expect(health.boxes).toMatchObject([{ name: "atlas", state: "up" }]);
  const { json: fit } = await answerOf(client, "plan", { model: "qwen3:8b", context: 4_096 });
  expect(fit).toMatchObject({ context_length: 4_096 });
  const change = { log_content: "off" };
  expect(await answerOf(client, "patchConfig", change)).toMatchObject({ isError: false });
  const { json: audit } = await answerOf(client, "audit", { action: "config_changed" });
  expect(audit.entries[0]).toMatchObject({ key_id: "admin", outcome: "done" });
  await client.close();
});

test("an operator pulls a model, and the result is what each box reported", async () => {
  await using box = await FakeBox.connect("mcp-pull", []);
  const client = await connected(ADMIN);
  const progress: string[] = [];
  const pulled = client.callTool(
    { name: "pullModel", arguments: { name: "qwen3:8b", box: box.name } },
    { onprogress: ({ message }) => progress.push(message ?? "") },
  );
  await box.answer(SUCCESS, ["qwen3:8b"]);
  const { content, isError } = await pulled;
  const [first] = content as { type: "text"; text: string }[];
  expect([isError, JSON.parse(first?.text ?? "null")]).toMatchObject([
    false,
    { done: true, status: "success", boxes: [{ box: box.name, status: "success", error: null }] },
  ]);
  expect(progress.join()).toContain("pulling manifest");
  const full = answerOf(client, "pullModel", { name: "llama3.2", box: box.name });
  await box.answer({ status: 500, body: '{"error":"no space left on device"}' });
  expect(await full).toMatchObject({
    isError: true,
    json: { error: { message: expect.stringContaining("no space left on device") } },
  });
  const { json: audit } = await answerOf(client, "audit", { action: "model_pulled" });
  expect(audit.entries[0]).toMatchObject({ key_id: "admin" });
  await client.close();
});

test.each([
  ["its result", (result: object) => [{ state: "done", result }], false, { state: "done" }],
  ["an error of the box", () => [{ error: "out of memory" }], true, { state: "failed" }],
] as const)(
  "a bench that ends with %s is a tool with that result",
  async (_, lines, isError, json) => {
    await using box = await FakeBox.connect(`mcp-bench-${isError}`, ["qwen3:8b"], {
      runs_bench: true,
    });
    const client = await connected(ADMIN);
    const answered = answerOf(client, "benchBox", { name: box.name, model: "qwen3:8b" });
    const body = lines(benchResultOf()).map((line) => `${JSON.stringify(line)}\n`);
    await box.answer({ status: 200, body: body.join("") });
    expect(await answered).toMatchObject({ isError, json });
    await client.close();
  },
);

test("a key gets the tools of its scopes, and no other works", async () => {
  const reader = await connected(STATS);
  const { tools } = await reader.listTools();
  const names = tools.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["health", "logs", "activity"]));
  expect(tools.every(({ annotations }) => annotations?.readOnlyHint)).toBe(true);
  await expect(answerOf(reader, "patchConfig", { log_content: "off" })).rejects.toThrow(
    "no tool patchConfig",
  );
  await reader.close();
  const caller = await connected(CALLER);
  expect((await caller.listTools()).tools.map(({ name }) => name)).toEqual(["ownCosts", "ownKey"]);
  await caller.close();
});

test("wrong arguments get the error of the API", async () => {
  const client = await connected(READ);
  expect(await answerOf(client, "logs", { limit: -1, nonsense: true })).toMatchObject({
    isError: true,
    json: { error: { code: "bad_request", message: expect.stringMatching(/limit.*nonsense/s) } },
  });
  await expect(answerOf(client, "repositoryModel")).rejects.toThrow("lacks the argument name");
  await client.close();
});

test("an unknown key is refused, as in the whole API", async () => {
  await expect(connected(UNKNOWN)).rejects.toThrow("This API key is not valid.");
});

test("a page of another origin can call no tool", async () => {
  const origin = "https://evil.example";
  const preflight = { origin, "access-control-request-method": "POST" };
  expect((await call(PATH, { method: "OPTIONS", headers: preflight })).status).toBe(403);
  // Nor by a request that needs no preflight.
  const headers = { origin, "content-type": "text/plain" };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
  const open = keys({ AUTH_MODE: "open" });
  expect((await call(PATH, { method: "POST", headers, body }, open)).status).toBe(403);
});

const REVISIONS = ["2024-11-05", "2025-06-18", "2025-11-25"];
test.each(REVISIONS)("a client of revision %s gets tools without a session", async (version) => {
  const post = async (message: object) =>
    call(PATH, {
      method: "POST",
      headers: {
        ...bearer(STATS),
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
  const params = {
    protocolVersion: version,
    capabilities: {},
    clientInfo: { name: "old", version: "1" },
  };
  expect(await (await post({ id: 1, method: "initialize", params })).text()).toContain(version);
  expect((await post({ method: "notifications/initialized" })).status).toBe(202);
  expect(await (await post({ id: 2, method: "tools/list" })).text()).toContain('"name":"health"');
});

test.each([
  ["is no JSON", {}, "{", 400, "JSON"],
  ["is no message", {}, "[1]", 400, "no JSON-RPC"],
  ["has an unknown method", {}, '{"jsonrpc":"2.0","id":1,"method":"x"}', 200, "no method x"],
  [
    "is of an unknown revision",
    { "mcp-protocol-version": "1999-01-01" },
    '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    400,
    "revision 1999-01-01 is not one of 2025-11-25",
  ],
] as const)("a body that %s gets an error with the reason", async (_, more, body, status, text) => {
  const headers = { ...bearer(STATS), "content-type": "application/json", ...more };
  const answer = await call(PATH, { method: "POST", headers, body });
  expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(text)]);
});

test("there is no stream to listen to", async () => {
  expect((await call(PATH, { headers: bearer(STATS) })).status).toBe(405);
});
