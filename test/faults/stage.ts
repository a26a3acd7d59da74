/** The stage of a fault suite: the bundled Worker and agent, and the chains that run them. */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../local/edge.ts";
import { Children } from "../bench/children.ts";
import { bundleProduct } from "../bench/workerd.ts";
import { Chain, type ChainPlan } from "./chain.ts";

export class Stage implements AsyncDisposable {
  readonly children = new Children();
  readonly folder = mkdtempSync(join(tmpdir(), "edge-faults-"));
  /** Path of the Worker's bundle. */
  script = "";
  /** The installed agent: one file. */
  agentFile = join(this.folder, "agent.mjs");
  readonly #chains: Chain[] = [];
  #count = 0;

  static async open(): Promise<Stage> {
    const stage = new Stage();
    stage.script = await bundleProduct(stage.children, stage.folder);
    copyFileSync(join(ROOT, "dist/assets/agent/agent.mjs"), stage.agentFile);
    return stage;
  }

  /** Starts a Worker with an empty ledger, an agent and an Ollama. */
  async chain(plan: ChainPlan = {}): Promise<Chain> {
    const chain = await Chain.start(this, `chain-${this.#count++}`, plan);
    this.#chains.push(chain);
    return chain;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const chain of this.#chains) await chain[Symbol.asyncDispose]();
    await this.children[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
