/**
 * Pictures of every page, in both themes and three widths, of a demo that has run for a while; and of
 * what is not the normal day, in two: `npm run screenshots [folder]`. For people to look at; what can be
 * checked is in the tests.
 */
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page, Route } from "playwright-core";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { launchBrowser, viewerOf } from "../support/chromium.ts";
import { startDemo } from "../support/demo.ts";
import { eventually, TestStack } from "../support/stack.ts";

type Shot = {
  name: string;
  /** e.g. `#/requests` */
  hash: string;
  /** Before the page is opened. */
  before?: (page: Page) => Promise<unknown>;
  /** When it is. */
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
  { name: "chat", hash: "#/chat?model=llama3.2:latest", opened: ask },
  { name: "settings", hash: "#/settings" },
];

const failing = (route: Route) =>
  route.fulfill({
    status: 500,
    json: {
      error: { code: "internal", message: "Something broke in the edge.", failed_at: "gateway" },
    },
  });

const BAD_DAYS: Shot[] = [
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

const NEW: Shot[] = ["overview", "requests", "models", "system", "chat", "settings"].map(
  (name) => ({
    name: `new-${name}`,
    hash: `#/${name === "overview" ? "" : name}`,
  }),
);

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
  await shootDemo();
  await shootNew();
} finally {
  await browser.close();
}
console.log(`${taken} pictures are in ${folder}/`);

async function shootDemo(): Promise<void> {
  await using demo = await startDemo();
  console.log(
    `The demo runs for ${TRAFFIC_MS / 1_000} s first, so that there is something to see.`,
  );
  await sleep(TRAFFIC_MS);
  await shootAll(PAGES, demo.url, WIDTHS);
  await shootAll(BAD_DAYS, demo.url, STATE_WIDTHS);
}

/** An edge that nobody has used yet; then one whose only box is gone. */
async function shootNew(): Promise<void> {
  await using locked = await TestStack.start({
    AUTH_MODE: "keys",
    ADMIN_KEY: "an-admin-key-for-pictures",
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
): Promise<void> {
  const height = width > 2_000 ? 2_160 : width < 500 ? 780 : 900;
  const context = await viewerOf(browser, { viewport: { width, height }, colorScheme: theme });
  const page = await context.newPage();
  await before?.(page);
  await page.goto(`${url}/${hash}`);
  if (name !== "loading") await page.locator(".page:not(:has(.skeleton)), .login").waitFor();
  await opened?.(page);
  await sleep(1_000); // charts are drawn a moment after their data came
  // In a window that is as high as the page: what sticks to an edge of it would stand amid the picture.
  const whole = await page.evaluate<number>("document.documentElement.scrollHeight");
  await page.setViewportSize({ width, height: Math.max(height, whole) });
  await page.screenshot({ path: `${folder}/${name}-${theme}-${width}.png` });
  taken++;
  await context.close();
}

async function openFirst(page: Page): Promise<void> {
  await page
    .getByRole("button", { name: /^Detail of/ })
    .first()
    .click();
  await page.locator(".phases").waitFor();
}

async function ask(page: Page): Promise<void> {
  await page
    .getByRole("textbox", { name: "Message" })
    .fill("What is a GPU good for, in one sentence?");
  await page.keyboard.press("Enter");
  // The demo has bad moments too: any end will do.
  await page.locator('.message.assistant[aria-busy="false"]').waitFor();
}

async function cutOff(page: Page): Promise<void> {
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Refresh now" }).click();
  await page.getByText("The edge does not answer.").waitFor();
}
