import { expect, test } from "vitest";
import { matchOllamaRoute, OLLAMA_ROUTES } from "../../../protocol/routes.ts";

test("matches every route of the allowlist with its own path", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  for (const route of OLLAMA_ROUTES) {
    const path = route.path.replace(":digest", digest).replace(":model", "llama3.2%3A1b");
    const match = matchOllamaRoute(route.method, path);
    expect(match, `${route.method} ${path}`).toMatchObject({ ok: true, route });
    if (match.ok && route.path.includes(":model")) expect(match.model).toBe("llama3.2:1b");
  }
});

// Ollama's router decodes and cleans paths before it matches, so each of these would reach a handler there.
const TRICKS = [
  "/api/%64elete",
  "/api//delete",
  "//api/delete",
  "/api/./delete",
  "/api/x/../delete",
  "/api/%2e%2e/api/delete",
  "/api/delete/",
  "/API/DELETE",
  "/api/delete;x",
  "/api/delete%00",
  "/api/delete\r\nX: y",
  "/api/me",
  "/api/signout",
  "/api/user/keys/abc",
  "/api/experimental/web_search",
  "/v1/audio/speech",
  "/v1/models/a/b",
  "/v1/models/..%2f..%2fapi%2fdelete",
  "/v1/models/a%20b",
  `/v1/models/${"a".repeat(513)}`,
  "/api/blobs/sha256:../../etc/passwd",
  "/api/blobs/sha256-0000",
  "http://evil/api/delete",
  "",
];

test.each(TRICKS)("keeps %j off the allowlist", (path) => {
  for (const method of ["GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"])
    expect(matchOllamaRoute(method, path)).toMatchObject({ ok: false, status: 404 });
});

test("returns the accepted methods for a known path with another method", () => {
  expect(matchOllamaRoute("GET", "/api/chat")).toEqual({ ok: false, status: 405, allow: ["POST"] });
  expect(matchOllamaRoute("POST", "/api/tags")).toEqual({
    ok: false,
    status: 405,
    allow: ["GET", "HEAD"],
  });
});

test("requires the models scope for paths that change a box", () => {
  for (const path of ["/api/create", "/api/push", "/api/pull", "/api/copy"])
    expect(matchOllamaRoute("POST", path)).toMatchObject({ route: { scope: "models" } });
  expect(matchOllamaRoute("DELETE", "/api/delete")).toMatchObject({ route: { scope: "models" } });
  for (const method of ["POST", "HEAD"])
    expect(matchOllamaRoute(method, `/api/blobs/sha256:${"a".repeat(64)}`)).toMatchObject({
      route: { scope: "models" },
    });
});
