/** A box that answers with web pages: its scripts must reach neither the dashboard nor its key. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, TestStack } from "../support/stack.ts";
import { useBrowser, Viewer } from "./viewer.ts";

useBrowser();

const ADMIN = "an-admin-key-for-tests";
const CALLER = "a-caller-key-for-tests";
const SECRET = "a-secret-for-the-box";

/** Takes what it can, and would replace the dashboard with a service worker from then on. */
const SCRIPT = `
  document.title = "taken";
  document.cookie = "stolen=1; path=/";
  fetch("/api/config").then((answer) => { if (answer.ok) document.title = "read the settings"; });
  navigator.serviceWorker.register(location.pathname + "v1/models/worker", { scope: "/" });
`;

const PAGES: Record<string, { type: string; body: string }> = {
  "/": { type: "text/html", body: `<title>quiet</title><p>A page.</p><script>${SCRIPT}</script>` },
  "/v1/models/worker": {
    type: "text/javascript",
    body: "onfetch = (event) => event.respondWith(new Response('replaced'));",
  },
};

/** Headers that would lead a browser away before the script of a page ran. */
const AWAY = {
  "clear-site-data": '"storage"',
  refresh: "0; url=https://evil.example/",
  location: "https://evil.example/",
};

let stack: TestStack;
let box: Server;

beforeAll(async () => {
  box = createServer((request, response) => {
    const page = PAGES[request.url ?? ""];
    response.writeHead(200, {
      "content-type": page?.type ?? "text/html",
      "set-cookie": "planted=1; Path=/",
      "access-control-allow-origin": "*",
      "service-worker-allowed": "/",
      ...(page === undefined ? AWAY : {}),
    });
    response.end(page?.body ?? '{"models":[]}');
  });
  await new Promise<void>((resolve) => box.listen(0, "127.0.0.1", resolve));
  const address = box.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  stack = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: ADMIN,
    CALLER_KEY: CALLER,
    BOX_SECRETS: `hostile=${SECRET}`,
  });
  stack.spawnAgent({
    name: "hostile",
    ollamaUrl: `http://127.0.0.1:${address.port}`,
    env: { BOX_SECRET: SECRET },
  });
  await eventually(async () => (await fetch(`${stack.url}/readyz`)).ok);
});

afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  box.close();
});

test("a box's page runs no script, plants nothing, and cannot replace the dashboard", async () => {
  await using viewer = await Viewer.open("#/settings", {}, stack.url);
  const { page } = viewer;
  await page.getByLabel("API key", { exact: true }).fill(ADMIN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Clear everything…" }).waitFor();

  // As octet-stream it is a download. A browser that shows it anyway must not run it.
  await page.goto(`${stack.url}/ollama/k/${CALLER}/`).catch(() => {});
  expect(await page.title()).not.toMatch(/taken|read/);

  await page.goto(`${stack.url}/#/settings`);
  await page.getByRole("heading", { name: "This browser" }).waitFor();
  expect((await page.context().cookies()).map(({ name }) => name)).not.toContain("planted");
  const registered = () =>
    page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)");
  expect(await registered()).toBe(0);

  // Even script on the dashboard's own origin cannot make a box's answer its service worker.
  const register = `navigator.serviceWorker.register("/ollama/k/${CALLER}/v1/models/worker")`;
  const refused = await page.evaluate(`${register}.then(() => "accepted", (error) => error.name)`);
  expect(refused).toMatch(/^(TypeError|SecurityError)$/);
  expect(await registered()).toBe(0);
});

test("nothing of a box's headers reaches a browser but its type and length", async () => {
  const answer = await fetch(`${stack.url}/ollama/k/${CALLER}/api/version`);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "content-type": "application/octet-stream",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
  });
  for (const name of [
    "set-cookie",
    "access-control-allow-origin",
    "service-worker-allowed",
    "clear-site-data",
    "refresh",
    "location",
  ])
    expect(answer.headers.has(name), name).toBe(false);
  await answer.body?.cancel();
});
