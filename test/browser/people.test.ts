/** An owner adds a box and a person on the page, and a member sees their own key: the walk of docs/people.md. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Boxes } from "../../protocol/api/fleet.ts";
import type { Key, Keys } from "../../protocol/api/keys.ts";
import { eventually } from "../support/stack.ts";
import { useBrowser, Viewer } from "./viewer.ts";
import { fillKey, OWNER, signIn, Walk } from "./walk.ts";

useBrowser();

let walk: Walk;

beforeAll(async () => {
  walk = await Walk.start();
});

afterAll(() => walk?.[Symbol.asyncDispose]());

async function openAs(key: string, hash: string, options = {}): Promise<Viewer> {
  const viewer = await Viewer.open(hash, options, walk.url);
  await signIn(viewer.page, key);
  return viewer;
}

const owner = (path: string, method = "GET", body?: object) =>
  walk.stack.json(path, {
    method,
    headers: { authorization: `Bearer ${OWNER}` },
    ...(body && { body: JSON.stringify(body) }),
  });

const keyNamed = async (wanted: string): Promise<Key | undefined> =>
  ((await owner("/api/keys")) as Keys).keys.find(({ name }) => name === wanted);

/** Reads the key that a dialog shows once. */
async function shownKey({ page }: Viewer, name: string): Promise<string> {
  const dialog = page.getByRole("dialog", { name: `The key of ${name}` });
  await dialog.getByText("Copy it now.").waitFor();
  return (await dialog.locator("pre").first().textContent()) ?? "";
}

/** Errors that the browser logs for each refused request are expected here. */
const unexpected = ({ errors }: Viewer) => errors.filter((error) => !/40[0139]/.test(error));

const TEXTS_AND_TARGETS = `(() => {
  const faults = [];
  const shown = (each) => each.checkVisibility({ visibilityProperty: true }) && each.getClientRects().length > 0;
  for (const each of document.querySelectorAll("main *, .nav *, dialog *"))
    if (shown(each) && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")
      && Number.parseFloat(getComputedStyle(each).fontSize) < 11)
      faults.push("small text: " + each.textContent.slice(0, 40));
  for (const each of document.querySelectorAll("main button, .nav a, .nav button, main select, main input, dialog button, dialog input, dialog select, dialog summary")) {
    const target = each.closest("label.check") ?? each;
    if (shown(each) && !each.matches(".skip") && target.getBoundingClientRect().height < 44)
      faults.push("low target: " + (each.ariaLabel || each.textContent || each.type) + " " + target.getBoundingClientRect().height);
  }
  return faults;
})()`;

const IS_ERROR_IN_SIGHT = `(() => {
  const dialog = document.querySelector("dialog");
  const { top, bottom } = dialog.querySelector("[role=alert]").getBoundingClientRect();
  const sight = dialog.getBoundingClientRect();
  return top >= sight.top && bottom <= Math.min(sight.bottom, innerHeight);
})()`;

/** Checks a page as it is, on a desktop and on a phone. */
async function checkLayout(viewer: Viewer): Promise<void> {
  const { page } = viewer;
  expect(await viewer.overflow()).toBeLessThanOrEqual(0);
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.setViewportSize({ width: 360, height: 780 });
  expect(await viewer.overflow()).toBeLessThanOrEqual(0);
  expect(await page.evaluate(TEXTS_AND_TARGETS)).toEqual([]);
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.setViewportSize({ width: 1280, height: 900 });
}

test("an owner adds a box, and the page shows it with its GPU and models when it is up", async () => {
  await using viewer = await openAs(OWNER, "#/", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("link", { name: "Add a box" }).click();
  await page.getByRole("button", { name: "Make a join code" }).click();
  await page.getByText("Waiting for the box").waitFor();
  await page.getByText(/^(10:00|9:5\d)$/).waitFor();
  await checkLayout(viewer);
  await page.getByRole("button", { name: "Cancel the code" }).click();

  await page.getByLabel("Name of the box").fill("not a name");
  await page.getByRole("button", { name: "Make a join code" }).click();
  await page.getByRole("alert").filter({ hasText: "name:" }).waitFor();
  await page.getByLabel("Name of the box").fill("");
  await page.getByRole("button", { name: "Make a join code" }).click();
  const command = (await page.locator(".add-box pre").textContent()) ?? "";
  expect(command).toContain(`sh install.sh ${walk.url} oej_`);
  walk.join(command, "// another build\n");
  const added = page.locator(".joined");
  await added.getByText("atlas is up").waitFor();
  await added.getByText("NVIDIA GeForce RTX 4090 (simulated)").waitFor();
  await added.getByText("llama3.2:latest, qwen3:8b").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  const row = page.getByRole("row", { name: /^atlas/ });
  await row.getByText("Certificate").waitFor();
  await row.getByText("not the edge's").waitFor();
  await checkLayout(viewer);
  await row.getByRole("button", { name: "Update atlas" }).click();
  const dialog = page.getByRole("dialog", { name: "Update atlas" });
  await dialog.getByRole("button", { name: "Update atlas" }).click();
  await dialog.waitFor({ state: "detached" });
  const isUpdated = async () => {
    const { boxes } = (await owner("/api/boxes")) as Boxes;
    return boxes[0]?.state === "up" && boxes[0].agent_build === "same" && boxes[0].agent_current;
  };
  await eventually(isUpdated);
  await row.getByRole("button", { name: "Update atlas" }).waitFor({ state: "detached" });
  expect(unexpected(viewer)).toEqual([]);
});

test("a key for one model with a daily limit is made, used, watched by its member, and revoked in mid-answer", async () => {
  await using viewer = await openAs(OWNER, "#/keys", { colorScheme: "dark" });
  const { page } = viewer;
  await page.getByText("No keys yet").waitFor();
  await fillKey(page, "Ada");
  await checkLayout(viewer);
  const dialog = page.getByRole("dialog", { name: "Make a key" });
  const daily = dialog.getByRole("spinbutton", { name: "Requests per day" });
  await daily.fill("0");
  await dialog.getByLabel("Name", { exact: true }).press("Enter");
  // In the words of the edge.
  await dialog.getByRole("alert").filter({ hasText: "must be at least 1" }).waitFor();
  await expect.poll(() => page.evaluate(IS_ERROR_IN_SIGHT)).toBe(true);
  await daily.fill("2");
  await dialog.getByRole("button", { name: "Make key" }).click();
  const key = await shownKey(viewer, "Ada");
  expect(key).toMatch(/^oes_/);
  await page.getByText(`/ollama/k/${key} ollama run llama3.2:latest`).waitFor();
  await checkLayout(viewer);
  await page.getByRole("button", { name: "Done" }).click();
  await page.locator("dialog").waitFor({ state: "detached" });
  expect(await page.content()).not.toContain(key);
  expect(await keyNamed("Ada")).toMatchObject({
    models: ["llama3.2"],
    boxes: ["atlas"],
    limits: { requests: { day: 2 } },
  });

  expect((await walk.chat(key, { stream: false })).status).toBe(200);
  expect((await walk.chat(key, { model: "qwen3:8b" })).status).toBe(403);
  await eventually(async () => (await keyNamed("Ada"))?.usage.requests === 2);

  await using member = await openAs(key, "#/requests");
  await member.page.getByRole("heading", { name: "Your key: Ada" }).waitFor();
  const usage = member.page.getByLabel("Usage of this key");
  await usage.getByText("2", { exact: true }).waitFor();
  await usage.getByText("1 failed").waitFor();
  await member.page.getByText("2 requests a day").waitFor();
  // The refused call counts nothing.
  const meter = member.page.getByRole("meter", { name: "Requests per day" });
  expect(await meter.getAttribute("aria-valuetext")).toBe("1 of 2 left");
  await page.getByRole("row", { name: /^Ada/ }).getByText("1 of 2 left").waitFor();
  await member.page.getByText("llama3.2:latest", { exact: true }).waitFor();
  const links = await member.page.getByRole("navigation").getByRole("link").allTextContents();
  expect(links.map((text) => text.slice(0, 7))).toEqual(["Usage &", "Connect", "Setting", "API"]);
  await member.page.getByLabel("Set up a client").selectOption("Claude Code");
  await member.page.getByText(`ANTHROPIC_AUTH_TOKEN=${key}`).waitFor();
  await checkLayout(member);
  await member.page.getByRole("link", { name: "Usage & energy", exact: true }).click();
  const used = member.page.getByRole("region", { name: "Table of usage and energy" });
  await used.getByRole("row", { name: /^llama3.2/ }).waitFor();
  expect(await used.getByRole("link").count()).toBe(0);
  expect(await member.page.getByRole("button", { name: "Key", exact: true }).count()).toBe(0);
  await checkLayout(member);
  await member.page.getByRole("link", { name: "Connect", exact: true }).click();
  // After a reload nothing knows the key but its owner, who can paste it.
  await member.page.reload();
  await member.page.getByText("/ollama/k/<your key> ollama run").waitFor();
  await member.page.getByLabel("Your key", { exact: true }).fill(key);
  await member.page.getByText(`/ollama/k/${key} ollama run`).waitFor();

  const answer = await walk.chat(key, { stream: true, max_tokens: 4_000 });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  await reader?.read();
  await page.getByRole("button", { name: "Revoke Ada" }).click();
  const confirm = page.getByRole("dialog", { name: "Revoke Ada" });
  await confirm.getByText(/open calls end within a second/).waitFor();
  await confirm.getByRole("button", { name: "Revoke key" }).click();
  let rest = "";
  for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read())
    rest += chunk.value;
  expect(rest).toContain("This API key was revoked.");
  const row = page.getByRole("row", { name: /^Ada/ });
  await row.getByText("revoked").waitFor();
  // The page of the member notices it, and shows the reason.
  await member.page.getByRole("alert").filter({ hasText: "This API key was revoked." }).waitFor();

  await row.getByRole("button", { name: "Delete Ada" }).click();
  await page.getByRole("button", { name: "Delete key" }).click();
  await row.waitFor({ state: "detached" });
  expect(await keyNamed("Ada")).toBeUndefined();
  expect(unexpected(viewer)).toEqual([]);
  expect(unexpected(member)).toEqual([]);
});

test("a person signs in, sees only their own usage and models, and reaches nothing else", async () => {
  const token = await walk.tokenOf("eve@example.com");
  expect((await walk.chat(token, { stream: false })).status).toBe(200);
  await using viewer = await Viewer.open("#/keys", {}, walk.url);
  const { page } = viewer;
  walk.isAtProvider("mallory@elsewhere.example");
  const provider = page.getByRole("link", { name: /^Sign in with 127\.0\.0\.1/ });
  await provider.click();
  await page.getByRole("alert").filter({ hasText: "You have no role here." }).waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  walk.isAtProvider("eve@example.com");
  await provider.click();
  await page.getByText("You are signed in as eve@example.com, member.").waitFor();
  const usage = page.getByLabel("Your usage", { exact: true }).getByRole("definition");
  await expect.poll(() => usage.first().textContent()).toBe("1");
  await page.getByText("llama3.2:latest", { exact: true }).waitFor();
  const links = await page.getByRole("navigation").getByRole("link").allTextContents();
  expect(links.map((text) => text.slice(0, 7))).toEqual(["Usage &", "Connect", "Setting", "API"]);
  await checkLayout(viewer);
  const statuses = await page.evaluate(
    `Promise.all(["/api/keys", "/api/stats/logs", "/api/live", "/api/boxes", "/api/audit", "/api/keys/self"].map(
      async (path) => (await fetch(path)).status))`,
  );
  expect(statuses).toEqual([403, 403, 403, 403, 403, 200]);
  expect(unexpected(viewer)).toEqual([]);
});

test("a key is changed, and rotated with an overlap", async () => {
  await owner("/api/keys", "POST", { name: "Grace", scopes: ["infer"], models: ["qwen3:*"] });
  await using viewer = await openAs(OWNER, "#/keys");
  const { page } = viewer;
  await page.getByRole("button", { name: "Edit Grace" }).click();
  const dialog = page.getByRole("dialog", { name: "Edit Grace" });
  await dialog.getByLabel("Name", { exact: true }).fill("Grace Hopper");
  await dialog.getByRole("checkbox", { name: /^Read statistics/ }).check();
  await dialog.getByRole("button", { name: "30 days" }).click();
  await dialog.getByText("Restrictions of its calls").click();
  await dialog.getByRole("checkbox", { name: /^May set keep_alive/ }).uncheck();
  await dialog.getByLabel("Largest context (num_ctx)").fill("8192");
  await dialog.getByRole("button", { name: "Save" }).click();
  const row = page.getByRole("row", { name: /^Grace Hopper/ });
  await row.getByText("Call models, read statistics").waitFor();
  await row.getByText("context up to 8,192, no keep_alive").waitFor();
  const changed = await keyNamed("Grace Hopper");
  expect(changed).toMatchObject({ scopes: ["infer", "stats"], models: ["qwen3:*"] });
  expect(Date.parse(changed?.expires_at ?? "")).toBeGreaterThan(Date.now() + 29 * 86_400_000);

  await owner(`/api/keys/${changed?.id}`, "PATCH", { models: ["qwen4:*"] });
  await row.getByRole("button", { name: "Rotate Grace Hopper" }).click();
  await page.getByLabel("The old key works on for").selectOption("1 hour");
  await page.getByRole("button", { name: "Make new key" }).click();
  const key = await shownKey(viewer, "Grace Hopper");
  // Lines would fail.
  await page.getByText(/matches none of the models .* now: llama3.2:latest, qwen3:8b\./).waitFor();
  await page.getByText("This key may use qwen4:*, and none of the boxes that are up has").waitFor();
  expect(await page.getByLabel("Set up a client").count()).toBe(0);
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByText("replaced", { exact: true }).waitFor();
  expect(await row.count()).toBe(2);
  await checkLayout(viewer);

  // A key that may read statistics sees the whole page, but no keys.
  await using member = await openAs(key, "#/");
  await member.page.getByText("Total requests").waitFor();
  const navigation = member.page.getByRole("navigation");
  expect(await navigation.getByRole("link", { name: "Keys" }).count()).toBe(0);
  await navigation.getByRole("link", { name: "Boxes" }).click();
  await member.page.getByRole("row", { name: /^atlas/ }).waitFor();
  expect(await member.page.getByRole("button", { name: "Add a box" }).count()).toBe(0);
  await navigation.getByRole("link", { name: "Connect" }).click();
  await member.page.getByText("Ask an owner of this edge for other models.").waitFor();
  expect(unexpected(viewer)).toEqual([]);
});

test("a revoked box is down and not admitted, and can be forgotten", async () => {
  await using viewer = await openAs(OWNER, "#/boxes", { refreshSeconds: 1 });
  const { page } = viewer;
  await page.getByRole("button", { name: "Revoke atlas" }).click();
  const confirm = page.getByRole("dialog", { name: "Revoke atlas" });
  await confirm.getByRole("button", { name: "Revoke atlas" }).click();
  const row = page.getByRole("row", { name: /^atlas/ });
  await row.getByText("not admitted").waitFor();
  await row.getByText("down", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Forget atlas" }).click();
  const dialog = page.getByRole("dialog", { name: "Forget atlas" });
  await dialog.getByRole("textbox").fill("atlas");
  await dialog.getByRole("button", { name: "Forget atlas" }).click();
  await page.getByText("No boxes have connected yet").waitFor();
  expect(unexpected(viewer)).toEqual([]);
});
