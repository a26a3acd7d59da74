/** What is not the normal day: no network, nobody looking, no box, no key, a key that may not. */
import { expect, test } from "vitest";
import { TestStack } from "../support/stack.ts";
import { useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("offline, what was read stays, grey and with its age; back online, it lives again", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total Requests").waitFor();
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.getByText("The edge does not answer.").waitFor();
  expect(await page.locator(".page.stale").count()).toBe(1);
  expect(await page.getByText("Total Requests").isVisible()).toBe(true);
  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Try now" }).click();
  await page.getByText(/^Live/).waitFor();
  expect(await page.locator(".page.stale").count()).toBe(0);
});

test("where a stream does not come through, polling does", async () => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await page.getByRole("combobox", { name: "Refresh interval" }).selectOption("1");
  // Some proxies hold a stream back: no event ever arrives.
  await page.route("**/api/live?every=*", () => {});
  await page.reload();
  await page.getByText(/^Every 1/).waitFor({ timeout: 20_000 });
});

test("nothing is asked while nobody looks", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.evaluate('localStorage.setItem("preferences", JSON.stringify({ refresh: 1 }))');
  await page.reload();
  await page.getByText("Live, every 1").waitFor();
  await page.evaluate(`
    Object.defineProperty(document, "hidden", { get: () => globalThis.isAway === true, configurable: true });
    globalThis.isAway = true;
    document.dispatchEvent(new Event("visibilitychange"));
  `);
  await page.getByText("Paused").waitFor();
  const before = viewer.asked.length;
  // Two intervals: what would be asked would have been.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(viewer.asked.length).toBe(before);
  await page.evaluate('globalThis.isAway = false; document.dispatchEvent(new Event("visibilitychange"))');
  await page.getByText(/^Live/).waitFor();
});

test("an edge with keys asks for one, says when it is wrong, and shows what a read key may", async () => {
  await using stack = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: "an-admin-key-for-tests",
    READ_KEY: "a-read-key-for-tests",
    BOX_SECRETS: "atlas=a-secret-for-the-box",
  });
  await using viewer = await Viewer.open("#/settings", {}, stack.url);
  const { page } = viewer;
  await page.getByLabel("Key", { exact: true }).fill("wrong-wrong-wrong-wrong");
  await page.getByRole("button", { name: "Show the numbers" }).click();
  await page.getByRole("alert").waitFor();
  expect(await viewer.broken()).toEqual([]);
  await page.getByLabel("Key", { exact: true }).fill("a-read-key-for-tests");
  await page.getByRole("button", { name: "Show the numbers" }).click();
  await page.getByText("Clearing needs a key with the scope admin.").waitFor();
  expect(await page.getByRole("button", { name: "Clear everything …" }).isDisabled()).toBe(true);
  expect(viewer.asked.some((asked) => asked.includes("key-for-tests"))).toBe(false);

  await page.goto(`${stack.url}/#/`);
  await page.getByText("No box has connected yet").waitFor();
  expect(await viewer.broken()).toEqual([]);
});
