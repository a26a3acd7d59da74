/** A Prometheus with its own configuration, port and storage, and queries to its API. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import * as z from "zod";
import { waitFor } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { type Reaper, startReaper } from "../../local/reaping.ts";
import { CONDITION_MS } from "./patience.ts";
import { freePort } from "./stack.ts";

const END_MS = 5_000;

const Answer = z.object({ status: z.literal("success"), data: z.unknown() });
/** Values are strings, because JSON has no "NaN" and "+Inf". */
const Vector = z.object({
  resultType: z.literal("vector"),
  result: z.array(
    z.object({
      metric: z.record(z.string(), z.string()),
      value: z.tuple([z.number(), z.string()]),
    }),
  ),
});
const Targets = z.object({
  activeTargets: z.array(
    z.object({ health: z.string(), lastError: z.string(), scrapeUrl: z.string() }),
  ),
});
const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({ name: z.string(), health: z.string(), lastError: z.string().default("") }),
      ),
    }),
  ),
});

export type PrometheusSample = { labels: Record<string, string>; value: number };

export class RunningPrometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #child: Child;
  readonly #folder: string;
  readonly #reaper: Reaper;

  private constructor(url: string, child: Child, folder: string, reaper: Reaper) {
    this.#url = url;
    this.#child = child;
    this.#folder = folder;
    this.#reaper = reaper;
  }

  /** @param config  as in a prometheus.yml, with absolute paths */
  static async start(program: string, config: unknown): Promise<RunningPrometheus> {
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    const address = `127.0.0.1:${await freePort()}`;
    const reaper = startReaper();
    writeFileSync(join(folder, "prometheus.yml"), stringify(config));
    const args = [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
    ];
    args.push(`--web.listen-address=${address}`, "--log.level=warn");
    const child = new Child(
      { name: "prometheus", program, args, env: process.env, cwd: folder },
      reaper,
    );
    const prometheus = new RunningPrometheus(`http://${address}`, child, folder, reaper);
    await waitFor(`http://${address}/-/ready`, child, CONDITION_MS).catch(async (error: Error) => {
      await prometheus[Symbol.asyncDispose]();
      throw new Error(`${error.message}\n${child.tail().join("\n")}`);
    });
    return prometheus;
  }

  /** Evaluates an expression now. */
  async query(expr: string): Promise<PrometheusSample[]> {
    const { result } = await this.#get(`query?${new URLSearchParams({ query: expr })}`, Vector);
    return result.map(({ metric, value: [, text] }) => ({ labels: metric, value: numberOf(text) }));
  }

  async labelValues(metric: string, label: string): Promise<string[]> {
    return this.#get(
      `label/${label}/values?${new URLSearchParams({ "match[]": metric })}`,
      z.array(z.string()),
    );
  }

  async targets(): Promise<z.infer<typeof Targets>["activeTargets"]> {
    return (await this.#get("targets?state=active", Targets)).activeTargets;
  }

  async rules(): Promise<z.infer<typeof Rules>["groups"][number]["rules"]> {
    return (await this.#get("rules", Rules)).groups.flatMap(({ rules }) => rules);
  }

  async #get<Data extends z.ZodType>(path: string, data: Data): Promise<z.infer<Data>> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`Prometheus answered ${response.status}: ${text}`);
    return data.parse(Answer.parse(JSON.parse(text)).data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop(END_MS);
    this.#reaper.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const INFINITIES: Record<string, number> = {
  "+Inf": Number.POSITIVE_INFINITY,
  "-Inf": Number.NEGATIVE_INFINITY,
};
const numberOf = (text: string): number => INFINITIES[text] ?? Number(text);
