/**
 * The Worker on this machine: workerd, with its objects in the state folder, behind a front that
 * notices when a caller leaves.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Front } from "./front.ts";
import { Child } from "./processes.ts";
import type { Reaper } from "./reaping.ts";
import { SettingsError } from "./settings.ts";
import { WORKERD, workerdConfigOf } from "./workerd.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The agent in one file, which the edge serves too. `build.ts` writes it, and the next three. */
export const AGENT = join(ROOT, "dist/assets/agent/agent.mjs");

const BUILT = join(ROOT, "dist/local");

/** The simulated nvidia-smi in one file: it starts for every request, in a quarter of the time that its sources take. */
export const SIMULATED_SMI = join(BUILT, "nvidia-smi.mjs");

/** The Worker and its companion for the static files. */
const WORKER = "worker.js";
const ASSETS = "assets.js";
const CONFIG = "workerd.capnp";

const POLL_MS = 25;

/** Time in which workerd ends on SIGTERM; nothing is lost if it is killed. */
const END_MS = 3_000;

export type EdgeOptions = {
  port: number;
  /** Keeps the objects. */
  folder: string;
  /** Settings of the Worker. */
  settings: Record<string, string>;
};

/** @throws {SettingsError} if no program can listen on the port */
export async function checkPort(port: number): Promise<void> {
  const code = await new Promise<string | null>((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(null)));
  });
  if (code !== null) throw portErrorOf(port, code);
}

function portErrorOf(port: number, code: string | undefined): SettingsError {
  const why =
    code === "EADDRINUSE"
      ? "is in use by another program"
      : code === "EACCES"
        ? "needs privileges"
        : `cannot be used (${code})`;
  return new SettingsError(
    `PORT ${port} ${why}. Set another one, for example PORT=${port === 8_001 ? 8_002 : 8_001} npm start`,
  );
}

/** Builds the Worker and the static files. */
export async function buildEdge(reaper: Reaper): Promise<void> {
  const build = new Child(
    { name: "build", args: ["build.ts"], env: process.env, cwd: ROOT },
    reaper,
  );
  const { code } = await build.ended;
  await build.stop(0);
  if (code !== 0) throw new ChildFailure(build, "The build failed");
}

/**
 * The Worker of one state folder. `wrangler dev` keeps its objects in the same folder, so the state
 * of either is continued by the other.
 */
export class Edge {
  readonly worker: Child;
  /** Path of the Worker's own Unix socket. */
  readonly socket: string;
  readonly #front: Front;

  private constructor(worker: Child, front: Front, socket: string) {
    this.worker = worker;
    this.#front = front;
    this.socket = socket;
  }

  /**
   * Starts both programs and returns before the Worker is ready; see {@link waitFor}. The assets
   * must be built.
   * @throws {SettingsError} if the port has been taken
   */
  static async start({ port, folder, settings }: EdgeOptions, reaper: Reaper): Promise<Edge> {
    const disk = join(folder, "v3/do");
    mkdirSync(disk, { recursive: true, mode: 0o700 });
    // Versions that ran `wrangler dev` kept keys and logs here.
    for (const old of ["settings.env", "logs", "registry"])
      rmSync(join(folder, old), { recursive: true, force: true });
    // Copied, because another start may build them again at any time.
    for (const script of [WORKER, ASSETS]) copyFileSync(join(BUILT, script), join(folder, script));
    // Not in the state folder, because the path of a socket has at most about 100 characters.
    const socket = join(mkdtempSync(join(tmpdir(), "ollama-edge-")), "worker");
    const config = workerdConfigOf({
      script: WORKER,
      objects: ["Box", "Aggregator", "Quota"].map((name) => ({
        name,
        binding: name.toUpperCase(),
        uniqueKey: `ollama-edge-serve-${name}`,
      })),
      variables: Object.keys(settings),
      disk,
      assets: { script: ASSETS, folder: join(ROOT, "dist/assets") },
      addresses: [`unix:${socket}`],
    });
    writeFileSync(join(folder, CONFIG), config);
    const front = await Front.listen(port, socket).catch((error: NodeJS.ErrnoException) => {
      throw portErrorOf(port, error.code);
    });
    const args = ["serve", join(folder, CONFIG)];
    const worker = new Child(
      { name: "worker", program: WORKERD, args, env: { ...process.env, ...settings }, cwd: ROOT },
      reaper,
    );
    return new Edge(worker, front, socket);
  }

  async stop(): Promise<void> {
    await this.#front.close();
    await this.worker.stop(END_MS);
    rmSync(dirname(this.socket), { recursive: true, force: true });
  }

  /** Kills the Worker at once, as a crash would. */
  kill(): void {
    this.worker.kill();
  }
}

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
export async function waitFor(
  url: string,
  child: Child,
  limitMs: number,
  headers: Record<string, string> = {},
): Promise<void> {
  const deadline = performance.now() + limitMs;
  let last = "there was no answer";
  while (performance.now() < deadline) {
    if (child.hasEnded)
      throw new ChildFailure(child, `The ${child.name} ended before it was ready`);
    try {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(2_000) });
      const text = await response.text();
      if (response.status === 200) return;
      last = `${response.status} ${text.slice(0, 300)}`;
    } catch {
      // The port is not open yet.
    }
    await sleep(POLL_MS);
  }
  throw new ChildFailure(child, `${url} was not ready within ${limitMs / 1_000} s: ${last}`);
}
