/** Every page, in both themes and three widths: it shows, it fits, nothing fails in it, and everybody can use it. */
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { callModel, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

beforeAll(async () => {
  await Promise.all([
    callModel({ model: "llama3.2" }),
    callModel({ model: "mistral" }),
    callModel({ model: "missing" }),
  ]);
});

const PAGES: [hash: string, shows: string][] = [
  ["#/", "Total Requests"],
  // Few rows: all are alike, and each is looked at.
  ["#/requests?model=missing", "Where it went"],
  ["#/models", "What they did"],
  ["#/system", "GPU utilization"],
  ["#/chat", "Ask something"],
  ["#/settings", "Price per kWh"],
];
const THEMES = ["light", "dark"] as const;
const WIDTHS = [1280, 360, 3840];
const CASES = PAGES.flatMap(([hash, shows]) => THEMES.map((theme) => ({ hash, shows, theme })));

test.each(CASES)("$hash, $theme, from a phone to a wall", async ({ hash, shows, theme }) => {
  await using viewer = await Viewer.open(hash, { colorScheme: theme });
  const { page } = viewer;
  await page.getByText(shows, { exact: true }).first().waitFor();
  await expect.poll(() => page.locator(".skeleton").count()).toBe(0);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    await expect
      .poll(() => viewer.overflow(), { message: `too wide for ${width} px` })
      .toBeLessThanOrEqual(0);
    // Colours are the same at every width; what is hidden or moved at some is looked at in one theme.
    if (width === 1_280 || (width === 360 && theme === "light"))
      expect(await viewer.broken(), `at ${width} px`).toEqual([]);
  }
  expect(viewer.errors).toEqual([]);
});

test("the page comes with a strict policy, and asks nobody else for anything", async () => {
  await using viewer = await Viewer.open("#/chat");
  const foreign: string[] = [];
  viewer.page.on(
    "request",
    (request) =>
      new URL(request.url()).origin !== new URL(viewer.page.url()).origin &&
      foreign.push(request.url()),
  );
  const answer = await viewer.page.reload();
  await viewer.page.getByText("Ask something").waitFor();
  const policy = answer?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("style-src 'self'");
  expect(policy).not.toContain("unsafe");
  expect(foreign.filter((url) => !url.startsWith("data:"))).toEqual([]);
});

test("the first load is at most 60 KB of JavaScript, as it travels", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  const scripts: string[] = [];
  page.on(
    "request",
    (request) => request.resourceType() === "script" && scripts.push(request.url()),
  );
  await page.reload();
  await page.getByText("Total Requests").waitFor();
  const sizes = await Promise.all(
    scripts.map(async (url) => gzipSync(await (await fetch(url)).arrayBuffer()).length),
  );
  expect(sizes.length).toBeGreaterThan(0);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(60_000);
});
