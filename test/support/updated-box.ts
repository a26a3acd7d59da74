/**
 * A box whose agent is updated: real files of the agent with versions of their own, a real process that is started
 * again when it ends, and an edge that a test controls.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { publicKeyOf, signatureOf } from "../../agent/joining/membership.ts";
import { makeStateFolder } from "../../agent/state/folder.ts";
import { digestOf } from "../../agent/update/update-folder.ts";
import { Child } from "../../local/processes.ts";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { Hello } from "../../protocol/messages.ts";
import { AGENT_PATH, offerText, type UpdateReport } from "../../protocol/update.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { FakeEdge } from "./fake-edge.ts";
import { sharedReaper } from "./shared-reaper.ts";
import { eventually } from "./stack.ts";

/** Runs before the first line of a broken version, unless it prints its version. */
export type Flaw =
  | ""
  | "process.exit(3);"
  | "await new Promise(() => setInterval(() => {}, 1e3));"
  | "for (;;);";

const QUICK_TRIAL_MS = 5_000;
const QUICK_PROOF_MS = 300;

/** Returns the agent as one file, with another version and a short trial. */
export async function builtAgent(version: string, flaw: Flaw = ""): Promise<Uint8Array> {
  const replaced = (text: string, from: RegExp, to: string) => {
    if (!from.test(text)) throw new Error(`nothing matches ${from}`);
    return text.replace(from, to);
  };
  const { outputFiles } = await build({
    entryPoints: ["agent/main.ts"],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    write: false,
    external: ["bufferutil", "utf-8-validate"],
    banner: {
      js:
        'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' +
        (flaw === "" ? "" : `if (!process.argv.includes("--version")) { ${flaw} }`),
    },
    plugins: [
      {
        name: "version",
        setup({ onLoad }) {
          const load = (filter: RegExp, from: RegExp, to: string) =>
            onLoad({ filter }, ({ path }) => ({
              contents: replaced(readFileSync(path, "utf8"), from, to),
              loader: "ts",
            }));
          load(/agent\/version\.ts$/, /"\d+\.\d+\.\d+"/, JSON.stringify(version));
          load(
            /supervisor\.ts$/,
            /TRIAL_MS = 60_000;([\s\S]*)PROVEN_MS = 5_000;/,
            `TRIAL_MS = ${QUICK_TRIAL_MS};$1PROVEN_MS = ${QUICK_PROOF_MS};`,
          );
        },
      },
    ],
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

export type UpdatedBoxOptions = {
  /** Goes before the program. */
  command?: readonly string[];
  env?: Record<string, string>;
  /** The installed agent is this single executable, instead of a file that Node runs. */
  executable?: string;
  /** Runs the installed file, by default Node. */
  runtime?: string;
};

export class UpdatedBox implements AsyncDisposable {
  readonly edge: FakeEdge;
  readonly ollama: SimulatedOllama;
  readonly folder = mkdtempSync(join(tmpdir(), "updated-box-"));
  readonly stateDir = join(this.folder, "state");
  readonly installed = join(this.folder, "agent.mjs");
  readonly lines: string[] = [];
  readonly #key = generateKeyPairSync("ed25519").privateKey;
  readonly #reaper = sharedReaper();
  readonly #command: readonly string[];
  readonly #env: Record<string, string>;
  readonly #program: readonly string[];
  #child: Child | null = null;
  #isManaged = true;

  private constructor(
    edge: FakeEdge,
    ollama: SimulatedOllama,
    { command = [], env = {}, executable, runtime = process.execPath }: UpdatedBoxOptions,
  ) {
    this.edge = edge;
    this.ollama = ollama;
    this.#command = command;
    this.#env = env;
    this.#program = executable === undefined ? [runtime, this.installed] : [executable];
  }

  /**
   * Starts a box that has joined, with this agent installed. Resolves when it is connected.
   * @param version  that of the installed agent
   */
  static async start(
    installed: Uint8Array,
    options: UpdatedBoxOptions = {},
    version = "0.0.1",
  ): Promise<UpdatedBox> {
    const ollama = await startSimulatedOllama({
      models: ["m:latest"],
      loadMsPerGb: 0,
      tokenMs: 20,
    });
    const box = new UpdatedBox(await FakeEdge.listen(), ollama, options);
    writeFileSync(box.installed, installed);
    box.#join();
    box.#spawn();
    await box.connected(version);
    return box;
  }

  /** The process that was started, not those that it started. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Returns the newest HELLO. */
  hello(): Hello {
    const hello = this.edge.hellos.at(-1);
    if (hello === undefined) throw new Error("no agent has connected");
    return hello;
  }

  report = (): UpdateReport | null => this.edge.readings.at(-1)?.update ?? null;

  /** Resolves when an agent of this version is the last that connected, after those before. */
  connected(version: string, after = 0): Promise<true> {
    const { hellos } = this.edge;
    return this.#until(() => hellos.length > after && hellos.at(-1)?.agent_version === version);
  }

  /** Resolves with the report of the newest process that has this state. */
  reported(state: UpdateReport["state"]): Promise<UpdateReport> {
    return eventually(
      async () => {
        const report = this.report();
        return report?.state === state && report;
      },
      () => `${JSON.stringify(this.report())}\n${this.lines.slice(-40).join("\n")}`,
    );
  }

  logged(event: string, count = 1): Promise<true> {
    return this.#until(
      () => this.lines.filter((line) => line.includes(`"event":"${event}"`)).length >= count,
    );
  }

  /**
   * Offers a file as the edge that the box joined.
   * @param served  the file that the edge serves instead
   */
  offer(
    content: Uint8Array,
    version: string,
    {
      served = content,
      bootId = this.hello().boot_id,
      key = this.#key,
    }: { served?: Uint8Array | null; bootId?: string; key?: KeyObject } = {},
  ): void {
    if (served === null) this.edge.files.delete(AGENT_PATH);
    else this.edge.files.set(AGENT_PATH, served);
    const file = { version, sha256: digestOf(content), bytes: content.length };
    const signatures = [signatureOf(key, offerText("b", bootId, file))];
    this.edge.send(tunnelFrame(FrameType.update, { ...file, signatures }));
  }

  /** Resolves with the outcome of the update. */
  settled(): Promise<"updated" | "rolled_back"> {
    return eventually(
      async () => {
        const state = this.report()?.state;
        return (state === "updated" || state === "rolled_back") && state;
      },
      () => this.lines.slice(-40).join("\n"),
    );
  }

  /** Kills the process that was started, as a crash would. Another one is started. */
  kill(): void {
    this.#child?.signal("SIGKILL");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.signal(signal);
  }

  /** Ends the process, and starts another one. */
  async restart(): Promise<void> {
    const before = this.edge.hellos.length;
    this.signal("SIGTERM");
    await this.#until(() => this.edge.hellos.length > before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isManaged = false;
    await this.#child?.stop(5_000);
    await this.edge[Symbol.asyncDispose]();
    await this.ollama.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** As a service manager does: started again whenever it ends. */
  #spawn(): void {
    const env = {
      ...process.env,
      LOG_FORMAT: "json",
      OLLAMA_HOST: this.ollama.url,
      STATE_DIR: this.stateDir,
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
      ...this.#env,
    };
    const [program = process.execPath, ...args] = [...this.#command, ...this.#program];
    const onLine = (line: string) => void this.lines.push(line);
    const child = new Child(
      { name: "agent", program, args, env, cwd: this.folder, onLine },
      this.#reaper,
    );
    this.#child = child;
    void child.ended.then(async () => {
      await sleep(100);
      if (this.#isManaged) this.#spawn();
    });
  }

  /** Writes the membership that `join` would write. */
  #join(): void {
    const box = generateKeyPairSync("ed25519").privateKey;
    const kept = {
      edge: this.edge.url,
      box: "b",
      certificate: `oec_${randomBytes(8).toString("hex")}`,
      expires_at_ms: Date.now() + 86_400_000,
      renew_at_ms: Date.now() + 43_200_000,
      signing_key: publicKeyOf(this.#key),
    };
    makeStateFolder(this.stateDir);
    writeFileSync(
      join(this.stateDir, "box-key.pem"),
      box.export({ format: "pem", type: "pkcs8" }),
      { mode: 0o600 },
    );
    writeFileSync(join(this.stateDir, "membership.json"), JSON.stringify(kept), { mode: 0o600 });
  }

  #until(isMet: () => boolean): Promise<true> {
    return eventually(
      async () => isMet(),
      () => this.lines.slice(-40).join("\n"),
    );
  }
}
