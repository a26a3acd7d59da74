/** The requests that the listener refuses, and the origins and hosts that it admits. */
import { expect, test } from "vitest";
import { BODY_BYTES_MAX } from "../../../../protocol/limits.ts";
import { Listening } from "../../../support/listening.ts";
import { listenForAll, listening, simulated } from "./scene.ts";

listenForAll();

const deep = `{"model":"m","x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
const BAD_BODIES: [
  name: string,
  body: string | Uint8Array,
  headers: Record<string, string>,
  status: number,
  message: RegExp,
][] = [
  ["an empty body", "", {}, 400, /empty/],
  ["half a JSON", '{"model":', {}, 400, /not valid JSON/],
  ["an array", "[]", {}, 400, /JSON object/],
  ["bytes that are not text", Uint8Array.of(0x7b, 0xff, 0x7d), {}, 400, /not valid UTF-8/],
  ["a cloud model", '{"model":"gpt-oss:120b-cloud"}', {}, 403, /cloud model/],
  [
    "a second model in another case",
    '{"model":"a","MODEL":"b:cloud"}',
    {},
    400,
    /"model" occurs twice/,
  ],
  ["a compressed body", "x", { "content-encoding": "gzip" }, 415, /gzip is not accepted/],
  ["a body nested 20,000 levels deep", deep, {}, 400, /nested more than 64 levels deep/],
  [
    "a body whose announced length is too large",
    Buffer.alloc(BODY_BYTES_MAX + 1, " "),
    {},
    413,
    /larger than 40 MiB/,
  ],
  [
    "a body of unknown length that turns out too large",
    Buffer.alloc(BODY_BYTES_MAX + 1, " "),
    { "transfer-encoding": "chunked" },
    413,
    /larger/,
  ],
];

test.each(BAD_BODIES)(
  "refuses and records %s, and Ollama never receives it",
  async (_name, body, headers, status, message) => {
    const seen = simulated.requests().length;
    const length =
      "transfer-encoding" in headers ? {} : { "content-length": Buffer.byteLength(body) };
    const answer = await listening.call("POST", "/api/chat", body, { ...length, ...headers });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual({ error: expect.stringMatching(message) });
    expect(simulated.requests()).toHaveLength(seen);
    expect(await listening.recordOf(answer)).toMatchObject({
      status: "error",
      failed_at: "gateway",
      http_status: status,
      box: "b",
    });
  },
);

const NO_PATHS: [method: string, path: string, status: number, body: unknown][] = [
  ["GET", "/nope", 404, { error: "GET /nope is not a path that is served here." }],
  ["POST", "/api/%64elete", 404, { error: expect.any(String) }],
  ["POST", "/api/me", 404, { error: expect.any(String) }],
  ["GET", "/v1/nope", 404, { error: expect.objectContaining({ type: "not_found_error" }) }],
  ["GET", "/api/chat", 405, { error: "/api/chat accepts POST, not GET." }],
  ["PUT", "/v1/messages", 405, expect.objectContaining({ type: "error" })],
  ["OPTIONS", "/api/chat", 405, { error: expect.any(String) }],
  [
    "GET",
    "/v1/models/gpt-oss:cloud",
    403,
    { error: expect.objectContaining({ code: "cloud_model" }) },
  ],
];

test.each(NO_PATHS)(
  "answers %s %s with %i, and records nothing",
  async (method, path, status, body) => {
    const known = listening.records().length;
    const answer = await listening.call(method, path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toEqual(body);
    expect(answer.headers.allow).toBe(status === 405 ? "POST" : undefined);
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(listening.records()).toHaveLength(known);
  },
);

test("answers a head that is too large with 431", async () => {
  expect(
    (await listening.call("GET", "/api/tags", null, { "x-long": "x".repeat(70_000) })).status,
  ).toBe(431);
  expect(
    (await listening.call("GET", "/api/tags", null, { accept: "x".repeat(20_000) })).status,
  ).toBe(431);
});

test.each([
  "http://localhost:3000",
  "https://127.0.0.1",
  "http://0.0.0.0:1",
  "http://[::1]:8080",
  "app://obsidian.md",
  "file://",
  "tauri://localhost",
  "vscode-webview://abc",
])("admits a page of %s, and lets it read its answer", async (origin) => {
  const preflightOf = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-stainless-os",
  };
  const preflight = await listening.call("OPTIONS", "/api/chat", null, preflightOf);
  expect(preflight).toMatchObject({ status: 204, text: "" });
  expect(preflight.headers).toMatchObject({
    "access-control-allow-origin": origin,
    "access-control-allow-headers": "content-type,x-stainless-os",
  });
  expect(preflight.headers["access-control-allow-methods"]).toContain("POST");
  const answer = await listening.call("GET", "/api/tags", null, { origin });
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({ "access-control-allow-origin": origin, vary: "origin" });
  expect(simulated.requests().at(-1)?.headers.origin).toBeUndefined();
});

test.each([
  "https://evil.example",
  "http://localhost.evil.example",
  "null",
  "http://127.0.0.1.evil.example:80",
  "https://evil.example/app://",
])("refuses a page of %s", async (origin) => {
  const seen = simulated.requests().length;
  for (const method of ["GET", "OPTIONS"]) {
    const answer = await listening.call(method, "/api/tags", null, {
      origin,
      "access-control-request-method": "GET",
    });
    expect(answer.status).toBe(403);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  }
  expect(simulated.requests()).toHaveLength(seen);
});

test.each([
  ["localhost:11434", 200],
  ["127.0.0.1", 200],
  ["[::1]:5", 200],
  ["gpu.local", 200],
  ["a.localhost", 200],
  ["host.docker.internal:1", 200],
  ["evil.example", 403],
  ["localhost.evil.example:11434", 403],
  ["::1:evil", 403],
])("on loopback, answers the Host header %s with %i", async (host, status) => {
  expect((await listening.call("GET", "/api/version", null, { host })).status).toBe(status);
});

test("accepts any host name when bound to every address, as Ollama does", async () => {
  await using own = await Listening.start(simulated.url, { host: "0.0.0.0" });
  expect((await own.call("GET", "/api/version", null, { host: "gpu.example" })).status).toBe(200);
  expect(
    (
      await own.call("GET", "/api/version", null, {
        host: "gpu.example",
        origin: "http://gpu.example",
      })
    ).status,
  ).toBe(403);
});
