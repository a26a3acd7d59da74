/** The simulated boxes: one that replaces a missing Ollama, and those of the demo. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ChildFailure, ROOT } from "./edge.ts";
import { Child } from "./processes.ts";
import type { Reaper } from "./reaping.ts";

export type SimulatedBox = {
  name: string;
  /** A name from simulated/gpus.ts. */
  gpu: string;
  models: string[];
  /** Milliseconds per token of a small model. */
  tokenMs: number;
  /** Requests of a model that are answered at once. */
  slots: number;
  seed: number;
};

/** Returns the box that replaces a missing Ollama. */
export const standIn = (name: string): SimulatedBox => ({
  name,
  gpu: "rtx-4090",
  models: ["llama3.2", "qwen3:8b", "gemma3:12b", "nomic-embed-text"],
  tokenMs: 10,
  slots: 4,
  seed: 1,
});

/**
 * Different cards with different models. Two boxes have qwen3:8b, so that the edge has a choice. One
 * box has one slot, as Ollama by default, so that a burst forms a queue.
 */
export const DEMO_BOXES: readonly SimulatedBox[] = [
  {
    name: "atlas",
    gpu: "rtx-4090",
    models: ["llama3.2", "qwen3:8b", "nomic-embed-text"],
    tokenMs: 9,
    slots: 4,
    seed: 11,
  },
  {
    name: "borealis",
    gpu: "h100",
    models: ["llama3.3:70b", "gpt-oss:20b", "qwen3:8b"],
    tokenMs: 6,
    slots: 4,
    seed: 22,
  },
  {
    name: "cinder",
    gpu: "rtx-3090",
    models: ["mistral", "gemma3:12b"],
    tokenMs: 13,
    slots: 1,
    seed: 33,
  },
];

const START_MS = 15_000;

/** Starts a simulated Ollama on a free port. @throws {ChildFailure} */
export async function startSimulated(
  box: SimulatedBox,
  reaper: Reaper,
): Promise<{ url: string; child: Child }> {
  let url: string | null = null;
  const args = [join(ROOT, "simulated/ollama.ts"), "--port", "0", "--models", box.models.join(",")];
  args.push("--token-ms", String(box.tokenMs), "--seed", String(box.seed));
  args.push("--slots", String(box.slots));
  const child = new Child(
    {
      name: `simulated Ollama of ${box.name}`,
      args,
      env: process.env,
      cwd: ROOT,
      onLine: (line) => {
        url ??= /^simulated Ollama on (\S+)$/.exec(line)?.[1] ?? null;
      },
    },
    reaper,
  );
  for (let waited = 0; url === null; waited += 20) {
    if (child.hasEnded || waited > START_MS)
      throw new ChildFailure(child, `The ${child.name} did not start`);
    await sleep(20);
  }
  return { url, child };
}

/** Time that an Ollama gets to return its version. */
const VERSION_MS = 2_000;

/** Returns whether an Ollama answers at this address now. */
export async function ollamaAnswers(url: URL): Promise<boolean> {
  try {
    const response = await fetch(new URL("/api/version", url), {
      signal: AbortSignal.timeout(VERSION_MS),
    });
    const text = await response.text();
    return response.status === 200 && text.includes('"version"');
  } catch {
    return false;
  }
}
