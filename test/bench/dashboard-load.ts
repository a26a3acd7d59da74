/** The first load of the page: its bytes, and the time to the first paint. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { PageScripts } from "../support/page-scripts.ts";
import { opened, SLOW_CPU } from "./dashboard-page.ts";

const ASSETS = "dist/assets/assets/immutable";
/** A slow phone: 1.6 Mbit/s, 150 ms. */
const SLOW_NETWORK = {
  offline: false,
  latency: 150,
  downloadThroughput: 1.6e6 / 8,
  uploadThroughput: 750e3 / 8,
};

export type FirstLoad = {
  scriptKb: number;
  styleKb: number;
  /** The scripts that are loaded when they are used, the largest first. */
  later: { name: string; kb: number }[];
};

export async function firstLoadOf(browser: Browser, url: string): Promise<FirstLoad> {
  const { page } = await opened(browser);
  const scripts = new PageScripts(page);
  await page.goto(url);
  await page.getByText("No boxes have connected yet").waitFor();
  const { files, kb: scriptKb } = await scripts.take();
  await page.context().close();
  const all = readdirSync(ASSETS).map((file) => ({ file, kb: compressedKb(file) }));
  return {
    scriptKb,
    styleKb: all.find(({ file }) => file.endsWith(".css"))?.kb ?? 0,
    later: all
      .filter(({ file }) => file.endsWith(".js") && !files.includes(file))
      .map(({ file, kb }) => ({ name: file.replace(/-[\w-]{8}\.js$/, ""), kb }))
      .toSorted((a, b) => b.kb - a.kb),
  };
}

const compressedKb = (file: string): number =>
  gzipSync(readFileSync(join(ASSETS, file))).length / 1_000;

export async function firstPaintMs(
  browser: Browser,
  url: string,
  isSlow: boolean,
): Promise<number> {
  const { page, session } = await opened(browser);
  if (isSlow) {
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", SLOW_NETWORK);
    await session.send("Emulation.setCPUThrottlingRate", { rate: SLOW_CPU });
  }
  await page.goto(url);
  await page.getByText("No boxes have connected yet").waitFor();
  const ms = await page.evaluate<number>(
    "performance.getEntriesByName('first-contentful-paint')[0].startTime",
  );
  await page.context().close();
  return Math.round(ms);
}
