/** The frame of the page: the palette, the keys, sharing, and trouble in the tab. */
import { expect, test } from "vitest";
import { callModel, edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test.concurrent("finds a page, a box and a request with the palette, without a mouse", async () => {
  const answer = await callModel({ model: "llama3.2" });
  const id = answer.headers.get("x-request-id") ?? "";
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText(/^Live/).waitFor();
  const find = page.getByRole("combobox", { name: /^Find a page, box/ });
  const hash = () => new URL(page.url()).hash;

  await page.keyboard.press("Control+k");
  await find.fill("bor");
  await page.getByRole("option", { name: /^borealis/, selected: true }).waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.keyboard.press("Enter");
  await find.waitFor({ state: "detached" });
  expect(hash()).toBe("#/box?box=borealis");

  await page.keyboard.press("/");
  await find.fill(id);
  await page.getByRole("option", { name: id }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.hash.includes(id));
  await find.waitFor({ state: "detached" });
  expect(hash()).toContain("#/requests?box=borealis");

  await page.keyboard.press("Meta+k");
  await find.fill("connect");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Connect", level: 1 }).waitFor({ state: "attached" });

  // Both the palette and the list close and open within one turn of the event loop.
  await page.keyboard.press("Control+k");
  await find.fill("list the keys");
  await page.keyboard.press("Enter");
  const keys = page.getByRole("dialog", { name: "Keys" });
  await keys.waitFor();
  await page.evaluate(REOPEN);
  await find.fill("connect");
  expect(await keys.count()).toBe(0);
  expect(viewer.errors).toEqual([]);
});

/** Closes the open dialog and presses the key of the palette before the event `close`. */
const REOPEN = `
  document.querySelector("dialog").close();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true, bubbles: true }));
`;

test.concurrent("opens pages by their digits and lists the keys, but not while typing", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByRole("link", { name: "Requests", exact: true }).waitFor();
  await page.keyboard.press("2");
  await page.waitForURL((url) => url.hash === "#/requests");
  await page.keyboard.press("?");
  const keys = page.getByRole("dialog", { name: "Keys" });
  await keys.getByText("Copy the link to this view").waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.keyboard.press("Escape");
  await keys.waitFor({ state: "detached" });
  await page.getByRole("button", { name: /^Find a request/ }).click();
  await page.getByRole("combobox", { name: /^Find a page/ }).pressSequentially("1?");
  expect(await page.getByRole("dialog", { name: "Keys" }).count()).toBe(0);
  await page.keyboard.press("Escape");
  expect(new URL(page.url()).hash).toBe("#/requests");
});

test.concurrent("copies the link to the present view", async () => {
  await using viewer = await Viewer.open("#/requests?box=atlas", {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const { page } = viewer;
  await page.getByRole("button", { name: "Share" }).click();
  await page.getByRole("button", { name: "Link copied" }).waitFor();
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(
    `${edgeUrl()}/#/requests?box=atlas`,
  );
});

test.concurrent("shows in the title and the icon of the tab that a box is down", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/settings");
  const { page } = viewer;
  await expect.poll(() => page.title()).toMatch(/^\(\d+\) /);
  const icon = await page.evaluate('document.querySelector("link[rel=icon]").href');
  expect(icon).toMatch(/^data:image\/svg/);
});
