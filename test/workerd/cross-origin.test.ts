/** Calls from web pages of other origins. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { Bindings } from "../../worker/env.ts";
import worker from "../../worker/index.ts";

const ADMIN = "admin-key-0123456789";
const KEYS = { AUTH_MODE: "keys", ADMIN_KEY: ADMIN };
const CHAT = "https://chat.example";
const LOCAL = "http://localhost:8000";
const CLOUD = "https://edge.example";

async function call(
  url: string,
  origin: string,
  init: RequestInit = {},
  settings: Partial<Bindings> = { AUTH_MODE: "open" },
): Promise<Response> {
  const ctx = createExecutionContext();
  const request = new Request(url, { ...init, headers: { ...init.headers, origin } });
  const answer = await worker.fetch(request, { ...env, ...settings }, ctx);
  const copy = new Response(answer.status === 204 ? null : await answer.text(), answer);
  await waitOnExecutionContext(ctx);
  return copy;
}

const preflight = (url: string, origin: string, settings?: Partial<Bindings>, headers = "") =>
  call(
    url,
    origin,
    {
      method: "OPTIONS",
      headers: {
        "access-control-request-method": "POST",
        "access-control-request-headers": headers,
      },
    },
    settings,
  );
const allowed = (answer: Response) => answer.headers.get("access-control-allow-origin");

const SDK_HEADERS =
  "authorization, content-type, x-stainless-os, x-stainless-retry-count, openai-beta, x-api-key, " +
  "anthropic-version, anthropic-dangerous-direct-browser-access, x-box";

test.each(["/ollama/api/chat", "/v1/chat/completions", "/ollama/v1/messages", "/api/generate"])(
  "on loopback, lets Ollama's default origins call and read %s, without credentials",
  async (path) => {
    for (const origin of [
      "http://localhost:3000",
      "http://127.0.0.1",
      "http://0.0.0.0:5173",
      "app://obsidian.md",
      "file://",
      "tauri://localhost",
      "vscode-webview://abc",
      "vscode-file://vscode-app",
    ]) {
      const answer = await preflight(LOCAL + path, origin, undefined, `${SDK_HEADERS}, cookie`);
      expect([answer.status, allowed(answer)], origin).toEqual([204, origin]);
      expect(answer.headers.get("access-control-allow-headers")).toBe(SDK_HEADERS);
      expect(answer.headers.get("access-control-allow-methods")).toContain("POST");
      expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
      expect(answer.headers.get("vary")).toBe("origin");
    }
    const call404 = await call(LOCAL + path, "app://obsidian.md", { method: "DELETE" });
    expect(allowed(call404)).toBe("app://obsidian.md");
    expect(call404.headers.get("access-control-expose-headers")).toContain("x-request-id");
  },
);

test("on loopback, refuses the pages of other origins, and opens /api to none but its own", async () => {
  for (const [url, origin] of [
    [`${LOCAL}/ollama/api/chat`, "https://evil.example"],
    [`${LOCAL}/ollama/api/chat`, "null"],
    [`${LOCAL}/ollama/api/chat`, "http://localhost.evil.example"],
    [`${LOCAL}/api/data/summary`, "http://localhost:3000"],
    [`${LOCAL}/api/stats/logs`, "app://obsidian.md"],
    ["http://rebound.example/ollama/api/tags", "http://localhost:3000"],
  ] as const) {
    const refused = await preflight(url, origin);
    expect([refused.status, allowed(refused)], `${url} ${origin}`).toEqual([403, null]);
    const answer = await call(url, origin);
    expect([answer.status, allowed(answer)], `${url} ${origin}`).toEqual([403, null]);
  }
  expect((await call(`${LOCAL}/api/config`, LOCAL)).status).toBe(200);
});

test("on Cloudflare, lets only configured origins call and read, errors too", async () => {
  const configured = { ...KEYS, CORS_ORIGINS: `${CHAT}, app://obsidian.md` };
  for (const origin of [CHAT, "app://obsidian.md"])
    for (const path of ["/v1/chat/completions", "/ollama/api/chat", "/api/stats/current"]) {
      const answer = await preflight(CLOUD + path, origin, configured);
      expect([answer.status, allowed(answer)], path).toEqual([204, origin]);
      const unauthorized = await call(CLOUD + path, origin, { method: "GET" }, configured);
      expect(allowed(unauthorized)).toBe(origin);
      expect(unauthorized.headers.has("access-control-allow-credentials")).toBe(false);
    }
  for (const settings of [KEYS, configured])
    for (const origin of ["https://evil.example", "http://localhost:3000"]) {
      const answer = await preflight(`${CLOUD}/v1/models`, origin, settings);
      expect([answer.status, allowed(answer)]).toEqual([403, null]);
      const headers = { authorization: `Bearer ${ADMIN}` };
      expect(allowed(await call(`${CLOUD}/v1/models`, origin, { headers }, settings))).toBeNull();
    }
});

test("any origin may be admitted to Ollama's paths, but not to /api", async () => {
  const any = { ...KEYS, CORS_ORIGINS: "*" };
  expect(allowed(await preflight(`${CLOUD}/v1/models`, CHAT, any))).toBe(CHAT);
  expect(allowed(await preflight(`${CLOUD}/api/data/all`, CHAT, any))).toBeNull();
});

test.each(["chat.example", "https://chat.example/", "https://*.example", "https://u@chat.example"])(
  "refuses %s as an origin",
  async (origin) => {
    const answer = await call(CLOUD, CHAT, {}, { ...KEYS, CORS_ORIGINS: origin });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      error: { message: expect.stringContaining("CORS_ORIGINS must be a list of origins") },
    });
  },
);
