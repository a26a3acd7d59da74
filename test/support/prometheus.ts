/**
 * A real Prometheus and its promtool: found on this machine, or fetched.
 *
 * From the PATH; else from a folder of this checkout that git ignores; else, where there is an apt-get, the
 * distribution's package is unpacked into that folder. That needs no root and leaves the system as it is:
 * apt-get gets lists, caches and hooks of its own. Where there is none, tests say so in their names.
 */
import { execFile, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../local/edge.ts";

export type Prometheus = { prometheus: string; promtool: string };

const CACHE = join(ROOT, "node_modules/.cache/prometheus");
const FETCHED = join(CACHE, "usr/bin");
/** For all of the fetching: about 35 MB. */
const FETCH_MS = 120_000;
/** For a mirror that does not answer. */
const CONNECT_S = 10;

/** Exit code of promtool when it can read it all, and dislikes something. */
const PROMTOOL_LINT = 3;

const run = promisify(execFile);

/**
 * @returns where the programs are, or in one sentence why there are none. That is also said on stderr:
 *   the names of skipped tests do not show in a long run.
 */
export async function findPrometheus(): Promise<Prometheus | { missing: string }> {
  const found = onPath() ?? inFolder(FETCHED);
  if (found !== null) return found;
  const missing = await fetchPackage().then(
    () => "none in the package of apt-get",
    (error: unknown) => `no Prometheus on the PATH, and apt-get gave none: ${reasonOf(error)}`,
  );
  const fetched = inFolder(FETCHED);
  if (fetched === null)
    process.stderr.write(`NOT RUN: tests with a real Prometheus. There is ${missing}\n`);
  return fetched ?? { missing };
}

function onPath(): Prometheus | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map(inFolder).find((found) => found !== null) ?? null;
}

/** Both programs: they come together. */
function inFolder(folder: string): Prometheus | null {
  const programs = { prometheus: join(folder, "prometheus"), promtool: join(folder, "promtool") };
  return Object.values(programs).every(isProgram) ? programs : null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Into a folder beside the cache, then renamed: of two processes that do this at once, one wins and both are right. */
async function fetchPackage(): Promise<void> {
  mkdirSync(join(CACHE, ".."), { recursive: true });
  const work = mkdtempSync(`${CACHE}-`);
  try {
    const deadline = AbortSignal.timeout(FETCH_MS);
    const options = {
      cwd: work,
      env: { ...process.env, LC_ALL: "C", APT_CONFIG: writeAptConfig(work) },
      signal: deadline,
    };
    await run("apt-get", ["update"], options);
    await run("apt-get", ["download", "prometheus"], options);
    const [archive = ""] = readdirSync(work).filter((name) => name.endsWith(".deb"));
    await run("dpkg-deb", ["-x", archive, "unpacked"], options);
    moveUnlessThere(join(work, "unpacked"), CACHE);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/**
 * The system's configuration (its mirrors and proxies), without its hooks, with every folder that is
 * written to in `work`.
 * @returns the path of the file
 */
function writeAptConfig(work: string): string {
  for (const folder of ["parts", "lists/partial", "cache/archives/partial"])
    mkdirSync(join(work, folder), { recursive: true });
  const parts = "/etc/apt/apt.conf.d";
  for (const name of existsSync(parts) ? readdirSync(parts) : []) {
    const text = readFileSync(join(parts, name), "utf8");
    if (!/-Invoke/i.test(text)) writeFileSync(join(work, "parts", name), text);
  }
  const file = join(work, "apt.conf");
  const settings = {
    "Dir::Etc::Parts": join(work, "parts"),
    "Dir::State": work,
    "Dir::State::Lists": join(work, "lists"),
    "Dir::State::status": "/var/lib/dpkg/status",
    "Dir::Cache": join(work, "cache"),
    // As root it would become another user, who cannot write here.
    "APT::Sandbox::User": "root",
    // A mirror that cannot be reached is an error, not a warning.
    "APT::Update::Error-Mode": "any",
    "Acquire::Languages": "none",
    "Acquire::Retries": "0",
    "Acquire::http::Timeout": CONNECT_S,
    "Acquire::https::Timeout": CONNECT_S,
  };
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(""),
  );
  return file;
}

/** Why a program failed: what apt-get said, without the warnings before. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const lines = "stderr" in error ? String(error.stderr).split("\n") : [];
  return lines.find((line) => line.startsWith("E: ")) ?? error.message.split("\n")[0] ?? error.name;
}

/**
 * What `promtool check metrics` finds to say of an exposition, a line each.
 * @throws when it cannot read it
 */
export function lintOf(promtool: string, exposition: string): string[] {
  const { status, stdout, stderr } = spawnSync(promtool, ["check", "metrics"], {
    input: exposition,
    encoding: "utf8",
  });
  if (status !== 0 && status !== PROMTOOL_LINT)
    throw new Error(`promtool check metrics (${status}): ${stderr}`);
  return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
}
