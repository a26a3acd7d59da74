/**
 * Takes screenshots for people to review: `npm run screenshots [folder]`.
 *
 * Covers every page of a demo with some traffic, in both themes and three widths, and abnormal
 * states in two widths. `readme-dark-1280.png` is the source of the picture in the README, and
 * `walk-*-light-900.png` are those of docs/people.md. With `walk` after the folder, takes only these.
 */
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page, Route } from "playwright-core";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { launchBrowser, viewerOf } from "../support/chromium.ts";
import { startDemo } from "../support/demo.ts";
import { eventually, TestStack } from "../support/stack.ts";
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

const folder = process.argv[2] ?? "screenshots";
mkdirSync(folder, { recursive: true });
const browser = await launchBrowser();
let taken = 0;
try {
  if (process.argv[3] !== "walk") {
    await shootDemo();
    await shootNew();
  }
  taken += await shootWalk(browser, folder);
} finally {
  await browser.close();
}
console.log(`Saved ${taken} screenshots in ${folder}/`);

async function shootDemo(): Promise<void> {
  await using demo = await startDemo();
  console.log(
    `Running the demo for ${TRAFFIC_MS / 1_000} s first, so that the pages have data to show.`,
  );
  await sleep(TRAFFIC_MS);
  await shootAll(PAGES, demo.url, WIDTHS);
  await shootAll(ABNORMAL, demo.url, STATE_WIDTHS);
  await shoot({ name: "readme", hash: "#/?range=5m" }, demo.url, "dark", 1280, 2);
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
  for (const theme of THEMES)
    for (const width of widths) for (const shot of shots) await shoot(shot, url, theme, width);
}

async function shoot(
  { name, hash, before, opened }: Shot,
  url: string,
  theme: (typeof THEMES)[number],
  width: number,
  deviceScaleFactor = 1,
): Promise<void> {
  const height = width > 2_000 ? 2_160 : width < 500 ? 780 : 900;
  const context = await viewerOf(browser, {
    viewport: { width, height },
    deviceScaleFactor,
    colorScheme: theme,
  });
  const page = await context.newPage();
  await before?.(page);
  await page.goto(`${url}/${hash}`);
  if (name !== "loading") await page.locator(".page:not(:has(.skeleton)), .login").waitFor();
  await opened?.(page);
  await sleep(1_000); // charts are drawn shortly after their data arrives
  // The window is as tall as the page. Otherwise sticky elements would appear in the middle of the
  // image.
  const whole = await page.evaluate<number>("document.documentElement.scrollHeight");
  await page.setViewportSize({ width, height: Math.max(height, whole) });
  await page.screenshot({ path: `${folder}/${name}-${theme}-${width}.png` });
  taken++;
  await context.close();
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
