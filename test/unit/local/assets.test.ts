/** The Worker that serves static files in local runs, over files in memory. */
import { expect, test } from "vitest";
import assets from "../../../local/assets.ts";

const FILE = "application/octet-stream";
const CONTENT: Record<string, [type: string, text: string]> = {
  "/index.html": [FILE, "<p>page</p>"],
  "/assets/page.js": [FILE, "run()"],
  "/assets/icon.svg": [FILE, "<svg/>"],
  "/agent/agent.mjs": [FILE, "agent()"],
  "/agent/install.sh": [FILE, "#!/bin/sh"],
  "/agent/agent.service": [FILE, "[Unit]"],
  // workerd answers a folder with its listing.
  "/assets": ["application/json", "[]"],
};

const FILES = {
  fetch: async (url: string) => {
    const found = CONTENT[new URL(url).pathname];
    return found === undefined
      ? new Response(null, { status: 404 })
      : new Response(found[1], { headers: { "content-type": found[0] } });
  },
};

const fetched = (path: string, init?: RequestInit) =>
  assets.fetch(new Request(`http://127.0.0.1${path}`, init), { FILES });

test.each([
  ["/", "text/html; charset=utf-8", "<p>page</p>"],
  ["/assets/page.js", "text/javascript; charset=utf-8", "run()"],
  ["/assets/icon.svg", "image/svg+xml", "<svg/>"],
  ["/agent/agent.mjs", "text/javascript; charset=utf-8", "agent()"],
  ["/agent/install.sh", "application/x-sh", "#!/bin/sh"],
])("serves %s as %s, checked again at every load", async (path, type, text) => {
  const answer = await fetched(path);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe(type);
  expect(answer.headers.get("content-length")).toBe(String(text.length));
  expect(answer.headers.get("cache-control")).toBe("public, max-age=0, must-revalidate");
  expect(await answer.text()).toBe(text);
});

test("serves a file of an unknown kind without a type", async () => {
  const answer = await fetched("/agent/agent.service");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe(null);
});

test.each(["/assets", "/assets/none.js", "/agent/"])("answers 404 to %s", async (path) => {
  expect((await fetched(path)).status).toBe(404);
});

test("answers 304 to the tag of the content, and 200 to another one", async () => {
  const etag = (await fetched("/assets/page.js")).headers.get("etag") ?? "";
  expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
  const status = async (tag: string) =>
    (await fetched("/assets/page.js", { headers: { "if-none-match": tag } })).status;
  expect(await status(etag)).toBe(304);
  expect(await status(`"other", W/${etag}`)).toBe(304);
  expect(await status('"other"')).toBe(200);
});

test("answers HEAD with the headers alone", async () => {
  const answer = await fetched("/", { method: "HEAD" });
  expect(answer.headers.get("content-length")).toBe("11");
  expect(await answer.text()).toBe("");
});
