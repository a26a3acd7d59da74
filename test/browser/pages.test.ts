/** Every page, in both themes and three widths: it shows, it fits, nothing fails in it, and everybody can use it. */
import { beforeAll, expect, test } from "vitest";
import { callModel, useBrowser, Viewer } from "./viewer.ts";

useBrowser();

beforeAll(async () => {
  await Promise.all([callModel({ model: "llama3.2" }), callModel({ model: "mistral" }), callModel({ model: "missing" })]);
});

const PAGES: [hash: string, shows: string][] = [
  ["#/", "Total Requests"],
  ["#/requests", "Where it went"],
  ["#/models", "What they did"],
  ["#/system", "GPU utilization"],
  ["#/chat", "Ask something"],
  ["#/settings", "Price per kWh"],
];
const THEMES = ["light", "dark"] as const;
const WIDTHS = [360, 1280, 3840];
const CASES = PAGES.flatMap(([hash, shows]) => THEMES.flatMap((theme) => WIDTHS.map((width) => ({ hash, shows, theme, width }))));

test.each(CASES)("$hash, $theme, $width px", async ({ hash, shows, theme, width }) => {
  await using viewer = await Viewer.open(hash, { viewport: { width, height: 900 }, colorScheme: theme });
  const { page } = viewer;
  await page.getByText(shows, { exact: true }).first().waitFor();
  await expect.poll(() => page.locator(".skeleton").count()).toBe(0);
  expect(await viewer.overflow()).toBeLessThanOrEqual(0);
  // Colours are the same at every width; what is hidden or moved at some is looked at in one theme.
  if (width === 1_280 || (width === 360 && theme === "light")) expect(await viewer.broken()).toEqual([]);
  expect(viewer.errors).toEqual([]);
});

test("the keyboard reaches every page, and the content past the navigation", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total Requests").waitFor();
  await page.keyboard.press("Tab");
  expect(await page.evaluate("document.activeElement.textContent")).toContain("To the content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("main");
  const names: string[] = [];
  await page.locator(".brand").focus();
  for (let presses = 0; names.length < 6 && presses < 15; presses++) {
    await page.keyboard.press("Tab");
    const [isLink, name] = await page.evaluate<[boolean, string]>(
      "[document.activeElement.closest('nav') !== null && document.activeElement.closest('li') !== null, document.activeElement.innerText]",
    );
    if (isLink) names.push(name.trim());
  }
  expect(names).toEqual(["Overview", "Requests", "Models", "GPU & system", "Chat", "Settings"]);
  await page.keyboard.press("Enter");
  await page.getByText("Price per kWh", { exact: true }).waitFor();
  expect(await page.title()).toContain("Settings");
});

test("the page comes with a strict policy, and asks nobody else for anything", async () => {
  await using viewer = await Viewer.open("#/chat");
  const foreign: string[] = [];
  viewer.page.on(
    "request",
    (request) => new URL(request.url()).origin !== new URL(viewer.page.url()).origin && foreign.push(request.url()),
  );
  const answer = await viewer.page.reload();
  await viewer.page.getByText("Ask something").waitFor();
  const policy = answer?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("style-src 'self'");
  expect(policy).not.toContain("unsafe");
  expect(foreign.filter((url) => !url.startsWith("data:"))).toEqual([]);
});
