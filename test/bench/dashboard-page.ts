/** An open page of the benchmark, and the processor time that it has used. */
import type { Browser, CDPSession, Page } from "playwright-core";
import { viewerOf } from "../support/chromium.ts";

export type Opened = { page: Page; session: CDPSession };

/** A slow phone has a quarter of this machine's speed. */
export const SLOW_CPU = 4;

export const TWO_FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

export async function opened(browser: Browser): Promise<Opened> {
  const context = await viewerOf(browser, { viewport: { width: 1_280, height: 900 } });
  const page = await context.newPage();
  return { page, session: await context.newCDPSession(page) };
}

/** Counts the processor time of the main thread, which is the same on a busy machine. */
export const countBusy = ({ session }: Opened) =>
  session.send("Performance.enable", { timeDomain: "threadTicks" });

/** Returns the processor time of the main thread so far, in ms. */
export async function busyMs({ session }: Opened): Promise<number> {
  const { metrics } = await session.send("Performance.getMetrics");
  return 1_000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
}

/**
 * Clicks from within the page. The tool that drives the browser finds elements by their accessible names,
 * and computing those takes as long as the page itself.
 * @param until  an expression that becomes true by a change of the document
 */
export const clickedUntil = (page: Page, selector: string, until: string): Promise<void> =>
  page.evaluate(`new Promise((done) => {
    const observer = new MutationObserver(() => {
      if (!(${until})) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(done));
    });
    observer.observe(document, { childList: true, subtree: true, attributes: true });
    document.querySelector(${JSON.stringify(selector)}).click();
  })`);
