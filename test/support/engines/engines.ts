/** Both engines, which the test suite starts and stops itself. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../../local/edge.ts";
import { Child } from "../../../local/processes.ts";
import { type Reaper, startReaper } from "../../../local/reaping.ts";
import { CONDITION_MS } from "../patience.ts";
import { installEngines } from "./install.ts";

/** These are canaries too: no answer, log or error may contain them. */
export const USER = "ollama";
export const PASSWORD = "canary-p@ss/word";
const DATABASE = "postgres";

const END_MS = 5_000;

/** The addresses, and the settings of a Worker that writes to both stores. */
export type Engines = { clickhouseUrl: string; neonUrl: string; settings: Record<string, string> };

export class RunningEngines implements AsyncDisposable {
  readonly #reaper = startReaper();
  /** Contains the data files of both engines. */
  readonly folder = mkdtempSync(join(tmpdir(), "engines-"));
  readonly #children: Child[] = [];

  async start(): Promise<Engines> {
    const cache = installEngines();
    const [clickhouseUrl, neonUrl] = await Promise.all([
      this.#front("clickhouse", cache),
      this.#front("neon", cache),
    ]);
    const settings = {
      EXPORTER_TYPE: "both",
      CLICKHOUSE_URL: clickhouseUrl,
      CLICKHOUSE_USER: USER,
      CLICKHOUSE_PASSWORD: PASSWORD,
      DATABASE_URL: `postgresql://${USER}:${encodeURIComponent(PASSWORD)}@engine.test/${DATABASE}`,
      NEON_FETCH_ENDPOINT: `${neonUrl}/sql`,
    };
    return { clickhouseUrl, neonUrl, settings };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop(END_MS)));
    this.#reaper.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #front(name: "clickhouse" | "neon", cache: string): Promise<string> {
    const folder = join(this.folder, name);
    mkdirSync(folder);
    return startFront(name, [cache, folder, USER, PASSWORD], this.#reaper, this.#children);
  }
}

function startFront(
  name: string,
  args: string[],
  reaper: Reaper,
  children: Child[],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const onLine = (line: string) =>
      line.startsWith("ready ") && resolve(line.slice("ready ".length));
    // Each statement of chdb occupies a thread of the pool until it ends.
    const env = { ...process.env, UV_THREADPOOL_SIZE: "16" };
    const child = new Child(
      { name, args: [join(ROOT, `test/support/engines/${name}-front.ts`), ...args], env, onLine },
      reaper,
    );
    children.push(child);
    const failure = () => new Error(`the engine ${name} did not start: ${child.tail().join("\n")}`);
    void child.ended.then(() => reject(failure()));
    setTimeout(() => reject(failure()), CONDITION_MS).unref();
  });
}
