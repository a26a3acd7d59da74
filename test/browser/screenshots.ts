/**
 * Pictures of every page, in both themes and three widths, of a demo that has run for a while:
 * `npm run screenshots [folder]`. For people to look at; what can be checked is in the tests.
 */
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { launchBrowser, viewerOf } from "../support/chromium.ts";
import { startDemo } from "../support/demo.ts";

const PAGES = ["overview", "requests", "request-detail", "models", "system", "chat", "settings"];
const THEMES = ["light", "dark"] as const;
const WIDTHS = [360, 1280, 3840];
const TRAFFIC_MS = 45_000;

const folder = process.argv[2] ?? "screenshots";
mkdirSync(folder, { recursive: true });
await using demo = await startDemo();
console.log(`The demo runs for ${TRAFFIC_MS / 1_000} s first, so that there is something to see.`);
await sleep(TRAFFIC_MS);
const browser = await launchBrowser();
try {
  for (const theme of THEMES) for (const width of WIDTHS) await shoot(browser, theme, width);
} finally {
  await browser.close();
}
console.log(`${PAGES.length * THEMES.length * WIDTHS.length} pictures are in ${folder}/`);

async function shoot(browser: Browser, theme: (typeof THEMES)[number], width: number): Promise<void> {
  const height = width > 2_000 ? 2_160 : width < 500 ? 780 : 900;
  const context = await viewerOf(browser, { viewport: { width, height }, colorScheme: theme });
  const page = await context.newPage();
  for (const name of PAGES) {
    await page.goto(
      `${demo.url}/#/${name.replace("overview", "").replace("request-detail", "requests?status=success").replace("chat", "chat?model=llama3.2:latest")}`,
    );
    await page.locator(".page").waitFor();
    if (name === "request-detail") {
      await page
        .getByRole("button", { name: /^Detail of/ })
        .first()
        .click();
      await page.locator(".phases").waitFor();
    }
    if (name === "chat" && (await page.locator(".message").count()) === 0) {
      await page.getByRole("textbox", { name: "Message" }).fill("What is a GPU good for, in one sentence?");
      await page.keyboard.press("Enter");
      // The demo has bad moments too: any end will do.
      await page.locator('.message.assistant[aria-busy="false"]').waitFor();
    }
    await page.locator(".skeleton").first().waitFor({ state: "detached" });
    await sleep(1_000); // charts are drawn a moment after their data came
    await page.screenshot({ path: `${folder}/${name}-${theme}-${width}.png`, fullPage: width < 2_000 });
  }
  await context.close();
}
