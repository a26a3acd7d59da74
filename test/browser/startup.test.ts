/** The page is never blank: with a hostile language, a missing script, or an error of one page. */
import { expect, test } from "vitest";
import { launchBrowser } from "../support/chromium.ts";
import { edgeUrl, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

test("starts in a browser whose language its own Intl rejects", async () => {
  const browser = await launchBrowser("C.UTF-8");
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.goto(`${edgeUrl()}/assets/docs.css`);
    expect(await page.evaluate("navigator.language")).toBe("en-US@posix");
    await page.goto(`${edgeUrl()}/#/system`);
    await page.getByRole("img", { name: /^CPU: / }).waitFor();
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
  }
});

test("shows an error of one page in its place, and keeps the navigation", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.route("**/api/models", (route) => route.fulfill({ json: { models: null } }));
  await page.getByRole("link", { name: "Models", exact: true }).click();
  const failure = page.getByRole("alert").filter({ hasText: "The page has failed." });
  await failure.waitFor();
  expect(await viewer.accessibilityViolations()).toEqual([]);
  await page.unroute("**/api/models");
  await failure.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Usage by model" }).waitFor();
  await page.getByRole("link", { name: "Overview", exact: true }).click();
  await page.getByText("Total requests").waitFor();
});

test("shows that the page is starting if its script does not arrive", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.route("**/assets/immutable/page-*.js", (route) => route.abort());
  await page.reload();
  await page.getByText("If this text stays, reload the page.").waitFor();
});

test("serves every icon that the page links, and the one that browsers request anyway", async () => {
  const html = await (await fetch(edgeUrl())).text();
  const linked = [...html.matchAll(/<link rel="[^"]*icon"[^>]*href="([^"]+)"/g)];
  const icons = linked.map(([, href = ""]) => new URL(href, edgeUrl()).href);
  expect(icons).toHaveLength(2);
  for (const url of [...icons, `${edgeUrl()}/favicon.ico`]) {
    const answer = await fetch(url);
    expect([url, answer.status]).toEqual([url, 200]);
    expect(answer.headers.get("content-type")).toMatch(/^image\//);
  }
});
