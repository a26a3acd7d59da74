/**
 * Takes screenshots for people to review: `npm run screenshots [folder] [only] [url]`.
 *
 * Covers every page of a demo with some traffic, in both themes and three widths, and abnormal
 * states in two widths. `readme-*.webp` are the pictures of the README, and `walk-*-light-900.webp` those of
 * docs/people.md. With `walk`, `readme` or `brand` after the folder, takes only these; `brand` draws the
 * icons and the social picture, `docs/images/social.webp`, again. With the address of a demo that is
 * running, its pages show the history that it has.
 *
 * A page is opened once for all its pictures: opening it was most of the time, and on a busy machine all
 * of it took 400 s.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page, Route } from "playwright-core";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { launchBrowser, viewerOf } from "../support/chromium.ts";
import { startDemo } from "../support/demo.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { webpOf } from "../support/webp.ts";
import { drawIcons, drawSocial } from "./brand-pictures.ts";
import { shootWalk } from "./walk-pictures.ts";

type Shot = {
  name: string;
  /** Page to open, such as `#/requests`. */
  hash: string;
  /** Runs before the page is opened. */
  before?: (page: Page) => Promise<unknown>;
  /** Runs once the page is open. */
  opened?: (page: Page) => Promise<unknown>;
};

const THEMES = ["light", "dark"] as const;
const WIDTHS = [360, 1280, 3840];
const STATE_WIDTHS = [360, 1280];
const TRAFFIC_MS = 45_000;

const PAGES: Shot[] = [
  { name: "overview", hash: "#/?range=5m" },
  { name: "requests", hash: "#/requests" },
  { name: "request-detail", hash: "#/requests?status=success", opened: openFirst },
  { name: "models", hash: "#/models" },
  { name: "usage", hash: "#/usage" },
  { name: "system", hash: "#/system?range=5m" },
  { name: "alerts", hash: "#/alerts" },
  { name: "chat", hash: "#/chat?model=llama3.2:latest", opened: sendMessage },
  { name: "boxes", hash: "#/boxes" },
  { name: "connect", hash: "#/connect" },
  { name: "settings", hash: "#/settings" },
];

const failing = (route: Route) =>
  route.fulfill({
    status: 500,
    json: {
      error: { code: "internal", message: "Something broke in the edge.", failed_at: "gateway" },
    },
  });

const ABNORMAL: Shot[] = [
  { name: "loading", hash: "#/", before: (page) => page.route("**/api/**", () => {}) },
  { name: "failing", hash: "#/", before: (page) => page.route("**/api/stats/**", failing) },
  { name: "offline", hash: "#/", opened: cutOff },
  { name: "nothing-found", hash: "#/requests?q=no+such+text" },
  {
    name: "delete-dialog",
    hash: "#/models",
    opened: (page) => page.getByRole("button", { name: "Delete llama3.2:latest" }).click(),
  },
];

const NEW: Shot[] = [
  "overview",
  "requests",
  "models",
  "system",
  "chat",
  "boxes",
  "connect",
  "settings",
].map((name) => ({
  name: `new-${name}`,
  hash: `#/${name === "overview" ? "" : name}`,
}));

const DOWN: Shot[] = [
  { name: "down-overview", hash: "#/" },
  { name: "down-system", hash: "#/system" },
  {
    name: "down-forget",
    hash: "#/system",
    opened: (page) => page.getByRole("button", { name: "Forget atlas" }).click(),
  },
];

const [folder = "screenshots", only, running] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launchBrowser();
let taken = 0;
try {
  if (only === "brand") taken += await drawIcons(browser); // the demo builds the page with them
  if (only !== "walk") await shootDemo();
  if (only === undefined) await shootNew();
  if (only === undefined || only === "walk") taken += await shootWalk(browser, folder);
} finally {
  await browser.close();
}
console.log(`Saved ${taken} screenshots in ${folder}/`);

async function shootDemo(): Promise<void> {
  if (running !== undefined) return shootPages(running);
  await using demo = await startDemo();
  console.log(
    `Running the demo for ${TRAFFIC_MS / 1_000} s first, so that the pages have data to show.`,
  );
  await sleep(TRAFFIC_MS);
  await shootPages(demo.url);
}

async function shootPages(url: string): Promise<void> {
  for (const theme of THEMES) await shootReadme(url, theme);
  if (only === "brand")
    await drawSocial(browser, `${folder}/readme-dark.webp`, "docs/images/social.webp");
  if (only !== undefined) return;
  await shootAll(PAGES, url, WIDTHS);
  await shootAll(ABNORMAL, url, STATE_WIDTHS);
}

/** Takes one screen of the Overview, sharp at the width of a README on every display. */
async function shootReadme(url: string, colorScheme: (typeof THEMES)[number]): Promise<void> {
  const context = await viewerOf(browser, {
    viewport: { width: 1280, height: 880 },
    deviceScaleFactor: 1.5,
    colorScheme,
  });
  const page = await context.newPage();
  await page.goto(`${url}/#/?range=15m`);
  await page.locator(".page:not(:has(.skeleton))").waitFor();
  await settled(page);
  writeFileSync(
    `${folder}/readme-${colorScheme}.webp`,
    await webpOf(page, await page.screenshot()),
  );
  taken++;
  await context.close();
}

/** Takes an edge that has not been used yet, then one whose only box is down. */
async function shootNew(): Promise<void> {
  await using locked = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: "an-admin-key-for-screenshots",
  });
  await shootAll([{ name: "login", hash: "#/" }], locked.url, STATE_WIDTHS);
  await using stack = await TestStack.start();
  await shootAll(NEW, stack.url, STATE_WIDTHS);
  const ollama = await startSimulatedOllama({ models: ["llama3.2"] });
  try {
    const agent = await stack.startAgent({
      name: "atlas",
      ollamaUrl: ollama.url,
      env: { SIMULATED: "1" },
    });
    await agent.stop(5_000);
    await eventually(async () =>
      (await stack.health()).boxes.some(({ state }) => state === "down"),
    );
    await shootAll(DOWN, stack.url, STATE_WIDTHS);
  } finally {
    await ollama.close();
  }
}

async function shootAll(
  shots: readonly Shot[],
  url: string,
  widths: readonly number[],
): Promise<void> {
  for (const shot of shots) await shoot(shot, url, widths);
}

async function shoot(
  { name, hash, before, opened }: Shot,
  url: string,
  widths: readonly number[],
): Promise<void> {
  // `opened` finds its buttons in the layout of a desktop.
  const context = await viewerOf(browser, { viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await before?.(page);
  await page.goto(`${url}/${hash}`);
  if (name !== "loading") await page.locator(".page:not(:has(.skeleton)), .login").waitFor();
  await opened?.(page);
  for (const width of widths) {
    const height = width > 2_000 ? 2_160 : width < 500 ? 780 : 900;
    await page.setViewportSize({ width, height });
    // The window is as tall as the page. Otherwise sticky elements would appear in the middle of the
    // image.
    const whole = await page.evaluate<number>("document.documentElement.scrollHeight");
    await page.setViewportSize({ width, height: Math.max(height, whole) });
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme });
      await settled(page);
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${width}.png` });
      taken++;
    }
  }
  await context.close();
}

/** Charts are drawn in the frame after their data has arrived or their width has changed. */
async function settled(page: Page): Promise<void> {
  const frame = "new Promise((done) => requestAnimationFrame(done))";
  for (let n = 0; n < 3; n++) await page.evaluate(frame);
}

async function openFirst(page: Page): Promise<void> {
  await page
    .getByRole("link", { name: /Details of/ })
    .first()
    .click();
  await page.locator(".phases").waitFor();
}

async function sendMessage(page: Page): Promise<void> {
  await page
    .getByRole("textbox", { name: "Message" })
    .fill("What is a GPU good for, in one sentence?");
  await page.keyboard.press("Enter");
  // The demo simulates failures too, so any final state will do.
  await page.locator('.message.assistant[aria-busy="false"]').waitFor();
}

async function cutOff(page: Page): Promise<void> {
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.getByText("The edge is not responding.").waitFor();
}
