/** The memory of a page that is left open for eight hours. */
import type { Browser } from "playwright-core";
import { Live } from "../../protocol/api/live.ts";
import { opened } from "./dashboard-page.ts";

/** Eight hours with an event every five seconds. */
export const EVENT_COUNT = (8 * 3_600) / 5;

/**
 * Feeds the page eight hours of events as fast as it can process them, and measures its heap before
 * and after.
 * @param url  an edge without boxes
 */
export async function memoryMb(
  browser: Browser,
  url: string,
): Promise<{ before: number; after: number }> {
  const { page, session } = await opened(browser);
  const live = Live.parse(await (await fetch(`${url}/api/live`)).json());
  await page.goto(url);
  await page.getByText("No boxes have connected yet").waitFor();
  const usedMb = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    return usedSize / 1e6;
  };
  const before = await usedMb();
  const eventOf = (n: number) =>
    `data: ${JSON.stringify({ ...live, stats: { ...live.stats, total_requests: n } })}\n\n`;
  const body = Array.from({ length: EVENT_COUNT }, (_, n) => eventOf(n + 1)).join("");
  let isFirst = true;
  await page.route("**/api/live?*", (route) => {
    if (!isFirst) return route.continue();
    isFirst = false;
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  const answered = page.waitForResponse("**/api/live?*");
  await page.getByRole("button", { name: "Refresh now" }).click();
  await (await answered).finished();
  // The page opens the next stream once it has processed the last event of this one.
  await page.waitForResponse("**/api/live?*");
  const after = await usedMb();
  await page.context().close();
  return { before, after };
}
