/** Requests that the edge refuses itself. */
import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { call, eventually, logOf } from "./calls.ts";

// In each API's own shape.
const REFUSED: [name: string, path: string, init: RequestInit, status: number, body: unknown][] = [
  [
    "a body that is not JSON",
    "/ollama/api/chat",
    { method: "POST", body: "{" },
    400,
    { error: expect.stringMatching(/^The request body is not valid JSON/) },
  ],
  [
    "a cloud model",
    "/v1/chat/completions",
    { method: "POST", body: '{"model":"x:cloud"}' },
    403,
    { error: { type: "permission_error", code: "cloud_model" } },
  ],
  ["a cloud model by path", "/v1/models/x%3Acloud", {}, 403, { error: { code: "cloud_model" } }],
  [
    "an encoded body",
    "/v1/responses",
    { method: "POST", body: "x", headers: { "content-encoding": "zstd" } },
    415,
    { error: { code: "encoded_body" } },
  ],
  [
    "an escaped path",
    "/ollama/api/%64elete",
    { method: "DELETE" },
    404,
    { error: "DELETE /api/%64elete is not a path that is served here." },
  ],
  [
    "an escaped path behind doubled slashes",
    "//ollama//api//%64elete/",
    { method: "DELETE" },
    404,
    { error: expect.any(String) },
  ],
  [
    "a path off the allowlist",
    "/ollama/api/me",
    { method: "POST" },
    404,
    { error: expect.any(String) },
  ],
  ["the wrong method", "/ollama/api/chat", {}, 405, { error: "/api/chat accepts POST, not GET." }],
  [
    "an unknown box",
    "/ollama/api/tags",
    { headers: { "x-box": "nobody" } },
    404,
    { error: "There is no box named nobody." },
  ],
  [
    "an unknown box in the path",
    "/ollama/@nobody/api/tags",
    {},
    404,
    { error: "There is no box named nobody." },
  ],
  [
    "two boxes",
    "/ollama/@one/api/tags",
    { headers: { "x-box": "other" } },
    400,
    { error: 'The path names box "one", and the header X-Box another one. Name only one.' },
  ],
  [
    "an invalid box name in the path",
    "/ollama/@-x/api/tags",
    {},
    400,
    { error: 'The path has an invalid box name: "-x".' },
  ],
  [
    "an invalid box name",
    "/ollama/api/tags",
    { headers: { "x-box": "../x" } },
    400,
    { error: expect.any(String) },
  ],
  [
    "a body for Anthropic that is not an object",
    "/v1/messages",
    { method: "POST", body: "[]" },
    400,
    { type: "error", error: { type: "invalid_request_error" } },
  ],
  [
    "an unknown path of the API",
    "/api/nothing",
    {},
    404,
    { error: { code: "not_found", failed_at: "gateway", request_id: expect.any(String) } },
  ],
  [
    "a limit out of range",
    "/api/stats/logs?limit=0",
    {},
    400,
    { error: { code: "bad_request", message: expect.stringContaining("limit") } },
  ],
  [
    "an unknown status",
    "/api/stats/logs?status=maybe",
    {},
    400,
    { error: { code: "bad_request", message: expect.stringContaining("status") } },
  ],
  [
    "an unknown time range",
    "/api/stats/history?time_range=2h",
    {},
    400,
    { error: { code: "bad_request" } },
  ],
  [
    "too many points",
    "/api/stats/history?time_range=90d&granularity=1m",
    {},
    400,
    { error: { message: expect.stringContaining("coarser") } },
  ],
  [
    "sums that only an external store keeps",
    "/api/stats/history?time_range=30d&granularity=5m&format=csv",
    {},
    400,
    {
      error: {
        message:
          "Without ClickHouse or Postgres buckets beyond 7 days are at least an hour long: use 1h or 1d.",
      },
    },
  ],
  [
    "a range beyond everything that is kept",
    "/api/stats/history?time_range=365d",
    {},
    400,
    { error: { message: "Without ClickHouse or Postgres history is kept for 90 days." } },
  ],
  [
    "a chat without a prompt",
    "/api/chat",
    { method: "POST", body: "{}" },
    400,
    { error: { code: "bad_request", failed_at: "gateway" } },
  ],
  [
    "a chat with a misspelt field",
    "/api/chat",
    { method: "POST", body: '{"prompt":"x","modell":"y"}' },
    400,
    { error: { message: expect.stringContaining("modell") } },
  ],
];

test.each(REFUSED)(
  "refuses %s in the shape of the called API",
  async (_name, path, init, status, body) => {
    const answer = await call(path, init);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject(body as object);
    expect(answer.headers.get("x-failed-at")).toBe("gateway");
  },
);

test("records a call that the edge refuses once, as failed at gateway", async () => {
  const answer = await call("/ollama/api/generate", { method: "POST", body: "{" });
  const id = answer.headers.get("x-request-id");
  const entry = await eventually(() => logOf(id));
  expect(entry).toMatchObject({
    endpoint: "/api/generate",
    status: "error",
    http_status: 400,
    failed_at: "gateway",
    box: null,
  });
});

test("serves only loopback, and no foreign page, in open mode", async () => {
  const elsewhere = await exports.default.fetch("http://evil.example/api/health");
  expect(elsewhere.status).toBe(403);
  expect(await elsewhere.json()).toMatchObject({ error: { code: "open_mode_elsewhere" } });
  const page = await call("/ollama/api/tags", { headers: { origin: "https://evil.example" } });
  expect(page.status).toBe(403);
  expect(await page.json()).toEqual({
    error: "A web page of origin https://evil.example may not call this address.",
  });
});

test("refuses an agent of another protocol version before any frame, and names the remedy", async () => {
  const answer = await call("/agent/connect?box=old", {
    headers: { upgrade: "websocket", "sec-websocket-protocol": "ollama-edge.v0" },
  });
  expect(answer.status).toBe(426);
  expect(await answer.json()).toMatchObject({
    error: { code: "protocol_mismatch", message: expect.stringContaining("/agent/agent.mjs") },
  });
});

test("answers a plain request to the agents' path with 426", async () => {
  expect((await call("/agent/connect?box=x")).status).toBe(426);
  expect(
    (await call("/agent/connect?box=../x", { headers: { upgrade: "websocket" } })).status,
  ).toBe(400);
});
