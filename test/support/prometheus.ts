/**
 * A real Prometheus and its promtool: found on this machine, or fetched.
 *
 * Looks in the PATH, then in a folder of this checkout that git ignores. Otherwise, if the machine has
 * apt-get, it unpacks the distribution's package into that folder. This needs no root and changes nothing in
 * the system: apt-get gets separate lists, caches and hooks. Without a Prometheus, the names of the tests
 * contain the reason.
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
/** Limit for the whole download, about 35 MB. */
const FETCH_MS = 120_000;
/** Limit for a mirror that does not answer. */
const CONNECT_S = 10;

/** Exit code of promtool for valid input with findings. */
const PROMTOOL_LINT = 3;

const run = promisify(execFile);

/**
 * Returns the paths of the programs, or one sentence that explains why they are missing. The sentence also
 * goes to stderr, because a long run does not show the names of skipped tests.
 */
export async function findPrometheus(): Promise<Prometheus | { missing: string }> {
  const found = onPath() ?? inFolder(FETCHED);
  if (found !== null) return found;
  const missing = await fetchPackage().then(
    () => "the package from apt-get does not contain it",
    (error: unknown) => `it is not in the PATH, and apt-get failed: ${reasonOf(error)}`,
  );
  const fetched = inFolder(FETCHED);
  if (fetched === null)
    process.stderr.write(`NOT RUN: tests with a real Prometheus, because ${missing}\n`);
  return fetched ?? { missing };
}

function onPath(): Prometheus | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map(inFolder).find((found) => found !== null) ?? null;
}

/** Returns both programs, or null unless both are in the folder. */
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

/** Unpacks into a folder beside the cache and renames it, so two processes can do this at once. */
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
 * Writes the system's apt configuration (mirrors and proxies) without its hooks, with all writable
 * folders in `work`. Returns the path of the file.
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
    // As root it would switch to another user, who cannot write here.
    "APT::Sandbox::User": "root",
    // An unreachable mirror is an error, not a warning.
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

/** Returns apt-get's error without the warnings before it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const lines = "stderr" in error ? String(error.stderr).split("\n") : [];
  return lines.find((line) => line.startsWith("E: ")) ?? error.message.split("\n")[0] ?? error.name;
}

/**
 * Returns the findings of `promtool check metrics`, one per line.
 * @throws if it cannot read the exposition
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
