/**
 * The environment of the browser tests, started once: an edge with two boxes that are up, one of
 * them simulated, and a third that is down. Each test sends the requests it needs.
 */
import type { TestProject } from "vitest/node";
import { SIMULATED_SMI } from "../../local/edge.ts";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { launchBrowserServer } from "../support/chromium.ts";
import { eventually, TestStack } from "../support/stack.ts";

declare module "vitest" {
  interface ProvidedContext {
    edgeUrl: string;
    /** WebSocket address of the browser that all tests share. */
    browserUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [stack, browser, atlas, borealis] = await Promise.all([
    TestStack.start(),
    launchBrowserServer(),
    startSimulatedOllama({ models: ["llama3.2", "qwen3:8b"], tokenMs: 4, loadMsPerGb: 1 }),
    startSimulatedOllama({
      models: ["mistral", "qwen3:8b", "gemma3:12b"],
      tokenMs: 4,
      loadMsPerGb: 1,
    }),
  ]);
  const gpu = {
    NVIDIA_SMI: SIMULATED_SMI,
    SIMULATED_OLLAMA: atlas.url,
    SIMULATED_GPU: "rtx-4090",
  };
  const [, , cinder] = await Promise.all([
    stack.startAgent({ name: "atlas", ollamaUrl: atlas.url, env: { ...gpu, SIMULATED: "1" } }),
    stack.startAgent({ name: "borealis", ollamaUrl: borealis.url }),
    stack.startAgent({ name: "cinder", ollamaUrl: borealis.url }),
  ]);
  await cinder.stop(5_000);
  await eventually(async () =>
    (await stack.health()).boxes.some(({ name, state }) => name === "cinder" && state === "down"),
  );
  project.provide("edgeUrl", stack.url);
  project.provide("browserUrl", browser.wsEndpoint());
  return async () => {
    await Promise.all([stack[Symbol.asyncDispose](), browser.close()]);
    await Promise.all([atlas.close(), borealis.close()]);
  };
}
