/**
 * A browser for tests that needs only npm: the Chromium packed in `@sparticuz/chromium`, unpacked
 * once.
 *
 * Only its binary is used, because its launcher is meant for cloud functions. The binary runs on
 * Linux x64 only. On other machines, `CHROME_PATH` or an installed Chromium is used; without one,
 * the tests fail with a message.
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

const INSTALLED = [
  process.env.CHROME_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** The sandbox is off: root cannot use it, and the browser opens only pages of this project. */
const ARGS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"];

/** @param language  language of the browser's environment, as in the variable LANG */
export const launchBrowser = (language = "en_US.UTF-8"): Promise<Browser> =>
  launched((options) =>
    chromium.launch({ ...options, env: { ...options.env, LANG: language, LC_ALL: language } }),
  );

/** Starts a browser that several processes can share. */
export const launchBrowserServer = (): Promise<BrowserServer> =>
  launched((options) => chromium.launchServer(options));

async function launched<T>(launch: (options: LaunchOptions) => Promise<T>): Promise<T> {
  const candidates = process.env.CHROME_PATH ? INSTALLED : [await unpacked(), ...INSTALLED];
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
    `No Chromium could be started. Set CHROME_PATH to the path of one.\n${failures.join("\n")}`,
  );
}

/** Opens a context with a fixed language and time zone, independent of this machine. */
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
  // Unpacked next to its target and then renamed, so that another process never sees a partial
  // file.
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
