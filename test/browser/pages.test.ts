/**
 * Every page, in both themes and three widths: it renders, fits, logs no errors and is accessible.
 */
import { beforeAll, expect, test } from "vitest";
import { FIRST_LOAD_KB_MAX, PageScripts } from "../support/page-scripts.ts";
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
  ["#/", "Total requests"],
  // Few rows: they are all alike, and the accessibility check examines each one.
  ["#/requests?model=missing", "Filters"],
  ["#/models", "Usage by model"],
  ["#/system", "GPU utilization"],
  ["#/usage", "Tokens out"],
  ["#/alerts", "Wrong now"],
  ["#/chat", "Send a message to a model"],
  ["#/boxes", "Admitted by"],
  ["#/box?box=atlas", "this month, by model"],
  ["#/model?model=llama3.2", "Where it is"],
  ["#/connect", "Set up a client"],
  ["#/settings", "Price per kWh"],
];
const THEMES = ["light", "dark"] as const;
const WIDTHS = [1280, 360, 3840];
const CASES = PAGES.flatMap(([hash, shows]) => THEMES.map((theme) => ({ hash, shows, theme })));

test.concurrent.for(CASES)(
  "renders $hash in the $theme theme, from phone to wall display",
  async ({ hash, shows, theme }, { expect }) => {
    // The dark theme stands for screens of double density too.
    const deviceScaleFactor = theme === "dark" ? 2 : 1;
    await using viewer = await Viewer.open(hash, { colorScheme: theme, deviceScaleFactor });
    const { page } = viewer;
    // Parts far down are loaded when the reader comes near.
    const isShown = async () => {
      await page.evaluate("scrollTo(0, document.body.scrollHeight)");
      return page.getByText(shows, { exact: true }).first().isVisible();
    };
    await expect.poll(isShown, { message: shows }).toBe(true);
    await expect.poll(() => page.locator(".skeleton").count()).toBe(0);
    // A row half below the bar at the top counts as too small to press. The reader scrolls it into sight.
    await page.evaluate("scrollTo(0, 0)");
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await expect
        .poll(() => viewer.overflow(), { message: `too wide for ${width} px` })
        .toBeLessThanOrEqual(0);
      // Colours are the same at every width, so the narrow layout is checked in one theme only.
      if (width === 1_280 || (width === 360 && theme === "light"))
        // Rows that arrive during the check move what it measures, so it is repeated.
        await expect
          .poll(() => viewer.accessibilityViolations(), { message: `at ${width} px` })
          .toEqual([]);
    }
    expect(viewer.errors).toEqual([]);
  },
);

test.concurrent("sends a strict content security policy and contacts no other origin", async () => {
  await using viewer = await Viewer.open("#/chat");
  const foreign: string[] = [];
  viewer.page.on(
    "request",
    (request) =>
      new URL(request.url()).origin !== new URL(viewer.page.url()).origin &&
      foreign.push(request.url()),
  );
  const answer = await viewer.page.reload();
  await viewer.page.getByText("Send a message to a model").waitFor();
  const policy = answer?.headers()["content-security-policy"] ?? "";
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("style-src 'self'");
  expect(policy).not.toContain("unsafe");
  expect(foreign.filter((url) => !url.startsWith("data:"))).toEqual([]);
});

test.concurrent("loads at most 60 KB of compressed JavaScript at first", async () => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  const scripts = new PageScripts(page);
  await page.reload();
  await page.getByText("Total requests").waitFor();
  const { files, kb } = await scripts.take();
  expect(files.length).toBeGreaterThan(0);
  expect(kb).toBeLessThanOrEqual(FIRST_LOAD_KB_MAX);
});

/** Compressed, in KB, by the page and its title. The chat has a reader of Markdown. */
const LAZY_KB: [hash: string, title: string, kb: number][] = [
  ["#/box?box=atlas", "atlas", 15],
  ["#/model?model=llama3.2", "llama3.2", 15],
  ["#/chat", "Playground", 35],
  ["#/requests", "Requests", 15],
  ["#/models", "Models", 15],
  ["#/system", "GPU & system", 15],
  ["#/usage", "Usage & energy", 15],
  ["#/alerts", "Alerts & events", 15],
  ["#/boxes", "Boxes", 15],
  ["#/connect", "Connect", 15],
  ["#/settings", "Settings", 15],
];

test.concurrent("loads at most 15 KB of compressed JavaScript for each further page", async ({
  expect,
}) => {
  await using viewer = await Viewer.open("#/");
  const { page } = viewer;
  await page.getByText("Total requests").waitFor();
  const scripts = new PageScripts(page);
  for (const [hash, name, most] of LAZY_KB) {
    await page.evaluate(`location.hash = "${hash}"`);
    await expect.poll(() => scripts.count, { message: name }).toBeGreaterThan(0);
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
    await page.locator(".page:not(:has(.skeleton.tall))").waitFor();
    const { kb } = await scripts.take();
    expect(kb, name).toBeLessThanOrEqual(most);
  }
});
