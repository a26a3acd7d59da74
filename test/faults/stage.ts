/** The stage of a fault suite: the bundled Worker and agent, and the chains that run them. */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT, ROOT } from "../../local/edge.ts";
import { Children } from "../bench/children.ts";
import { buildOnce } from "../support/built.ts";
import { Chain, type ChainPlan } from "./chain.ts";

export class Stage implements AsyncDisposable {
  readonly children = new Children();
  readonly folder = mkdtempSync(join(tmpdir(), "edge-faults-"));
  /** Path of the Worker's bundle. */
  readonly script = join(this.folder, "product.js");
  /** The installed agent: one file. */
  readonly agentFile = join(this.folder, "agent.mjs");
  readonly #chains: Chain[] = [];
  #count = 0;

  static open(): Stage {
    const stage = new Stage();
    buildOnce();
    copyFileSync(join(ROOT, "dist/local/worker.js"), stage.script);
    copyFileSync(AGENT, stage.agentFile);
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
