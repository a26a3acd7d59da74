/**
 * A browser for tests, from npm alone: the packed Chromium of `@sparticuz/chromium`, unpacked once.
 *
 * Only its file is used: its own start code is for a cloud function. Where that does not run (it is for
 * Linux on x64), `CHROME_PATH` or a Chromium of this machine does; without any, tests fail and say so.
 */
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
} from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type BrowserServer,
  chromium,
  type LaunchOptions,
} from "playwright-core";
import { ROOT } from "../../local/edge.ts";

const OF_THIS_MACHINE = [
  process.env.CHROME_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** No sandbox: there is none for root, and only pages of this project are opened. */
const ARGS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"];

export const launchBrowser = (): Promise<Browser> =>
  launched((options) => chromium.launch(options));

/** For several processes that share one. */
export const launchBrowserServer = (): Promise<BrowserServer> =>
  launched((options) => chromium.launchServer(options));

async function launched<T>(launch: (options: LaunchOptions) => Promise<T>): Promise<T> {
  const candidates = process.env.CHROME_PATH
    ? OF_THIS_MACHINE
    : [await unpacked(), ...OF_THIS_MACHINE];
  const failures: string[] = [];
  for (const executablePath of candidates) {
    if (!executablePath || !existsSync(executablePath)) continue;
    try {
      return await launch({
        executablePath,
        headless: true,
        args: ARGS,
        env: { ...process.env, LANG: "en_US.UTF-8" },
      });
    } catch (error) {
      failures.push(
        `${executablePath}: ${(error as Error).message.split("\n").slice(0, 4).join(" ")}`,
      );
    }
  }
  throw new Error(
    `No Chromium starts on this machine; set CHROME_PATH to one.\n${failures.join("\n")}`,
  );
}

/** A viewer with a language and a time zone of its own, whatever this machine has. */
export const viewerOf = (
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> =>
  browser.newContext({ locale: "en-US", timezoneId: "UTC", reducedMotion: "reduce", ...options });

async function unpacked(): Promise<string | null> {
  if (platform() !== "linux" || arch() !== "x64") return null;
  const bin = join(
    dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")),
    "..",
    "bin",
  );
  const folder = join(ROOT, "node_modules/.cache/chromium");
  const executable = join(folder, "chromium-153.0.0");
  if (existsSync(executable)) return executable;
  mkdirSync(folder, { recursive: true });
  // Beside it and then renamed: who comes meanwhile finds all of it, or nothing.
  const part = `${executable}.${process.pid}.part`;
  await pipeline(
    createReadStream(join(bin, "chromium.br")),
    createBrotliDecompress(),
    createWriteStream(part),
  );
  chmodSync(part, 0o755);
  renameSync(part, executable);
  return executable;
}
