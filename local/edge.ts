/**
 * The Worker on this machine: a quiet `wrangler dev` that keeps its objects in the state folder.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Child } from "./processes.ts";
import type { Reaper } from "./reaping.ts";
import { SettingsError } from "./settings.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Turns off wrangler's own notices, which mean nothing to the user of `npm start`. */
export const QUIET = {
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  X_LOCAL_EXPLORER: "false",
  X_LOCAL_OBSERVABILITY: "false",
  NO_COLOR: "1",
};

/** workerd does not end on SIGTERM while a WebSocket is open. */
const END_MS = 3_000;

export type EdgeOptions = { port: number; folder: string; settings: Record<string, string> };

/** @throws {SettingsError} if no program can listen on the port */
export async function checkPort(port: number): Promise<void> {
  const code = await new Promise<string | null>((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(null)));
  });
  if (code === null) return;
  const why =
    code === "EADDRINUSE"
      ? "is in use by another program"
      : code === "EACCES"
        ? "needs privileges"
        : `cannot be used (${code})`;
  throw new SettingsError(
    `PORT ${port} ${why}. Set another one, for example PORT=${port === 8_001 ? 8_002 : 8_001} npm start`,
  );
}

/**
 * Builds the static files. wrangler builds them again when it starts, but refuses to start without
 * the folder.
 */
export async function buildAssets(reaper: Reaper): Promise<void> {
  const build = new Child(
    { name: "build", args: ["build.ts"], env: process.env, cwd: ROOT },
    reaper,
  );
  const { code } = await build.ended;
  await build.stop(0);
  if (code !== 0) throw new ChildFailure(build, "The build failed");
}

/** Starts the Worker and returns at once; see {@link waitFor}. */
export function startEdge({ port, folder, settings }: EdgeOptions, reaper: Reaper): Child {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const envFile = join(folder, "settings.env");
  // Keeps only the log of this run, because wrangler never deletes any.
  rmSync(join(folder, "logs"), { recursive: true, force: true });
  // Mode 0600 before the content, because the settings include keys and passwords.
  writeFileSync(envFile, "", { mode: 0o600 });
  chmodSync(envFile, 0o600);
  writeFileSync(envFile, envFileOf(settings));
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const args = [
    wrangler,
    "dev",
    "--port",
    String(port),
    "--ip",
    "127.0.0.1",
    "--inspector-port",
    "0",
  ];
  args.push(
    "--persist-to",
    folder,
    "--env-file",
    envFile,
    "--show-interactive-dev-session",
    "false",
    "--log-level",
    "warn",
  );
  const paths = {
    WRANGLER_LOG_PATH: join(folder, "logs"),
    WRANGLER_REGISTRY_PATH: join(folder, "registry"),
  };
  const env = { ...process.env, ...QUIET, ...paths };
  return new Child({ name: "worker", args, env, cwd: ROOT, endsAsGroup: true }, reaper);
}

export const stopEdge = (edge: Child): Promise<void> => edge.stop(END_MS);

/** A child that died or did not become ready. Its last lines show the reason. */
export class ChildFailure extends Error {
  override readonly name = "ChildFailure";
  readonly child: Child;

  constructor(child: Child, message: string) {
    super(message);
    this.child = child;
  }
}

/**
 * Polls a URL until it answers 200.
 * @throws {ChildFailure} if the child ends first, or after `limitMs` with the last answer
 */
export async function waitFor(url: string, child: Child, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  let last = "there was no answer";
  while (performance.now() < deadline) {
    if (child.hasEnded)
      throw new ChildFailure(child, `The ${child.name} ended before it was ready`);
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      const text = await response.text();
      if (response.status === 200) return;
      last = `${response.status} ${text.slice(0, 300)}`;
    } catch {
      // The port is not open yet.
    }
    await sleep(100);
  }
  throw new ChildFailure(child, `${url} was not ready within ${limitMs / 1_000} s: ${last}`);
}

/** @throws {SettingsError} for a value that the format cannot represent */
export function envFileOf(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${quoted(name, value)}\n`)
    .join("");
}

/**
 * In an env file, single quotes and backticks are literal and double quotes are not. A bare `$`
 * would be expanded inside all three.
 */
function quoted(name: string, value: string): string {
  const quote = ["'", "`"].find((mark) => !value.includes(mark));
  if (quote === undefined || value.includes("\n"))
    throw new SettingsError(
      `${name} contains a line break, or both a ' and a backtick, and cannot be passed to the Worker. Remove them.`,
    );
  return `${quote}${value.replaceAll("$", "\\$")}${quote}`;
}
