/**
 * P16: CPU of an idle agent, in ms per second: with a tunnel, an Ollama that it polls, and a GPU that
 * it reads every second. The tool that reads the GPU is another process.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SIMULATED_SMI } from "../../local/edge.ts";
import { Gpu } from "../../protocol/api/fleet.ts";
import { type Figure, overRounds, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 3;
/** Two polls of the models, ten of the GPU and one sample of the machine. */
const ROUND_MS = 10_000;
/** The agent starts, compiles and connects before it is idle. */
const START_MS = 10_000;

export async function measureIdleAgent(stage: Stage): Promise<Figure[]> {
  const settings = { NVIDIA_SMI: SIMULATED_SMI, SIMULATED: "1" };
  const chain = await stage.startChain("idle", undefined, settings);
  await sleep(START_MS);
  const rounds: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    const [beforeMs, startMs] = [chain.agent.preciseCpuMs(), performance.now()];
    await sleep(ROUND_MS);
    const usedMs = chain.agent.preciseCpuMs() - beforeMs;
    rounds.push((usedMs * 1_000) / (performance.now() - startMs));
  }
  const memory = round(chain.agent.residentMb());
  // Last, because somebody who looks makes the agent send more readings.
  await checkGpu(chain);
  await chain.check();
  await chain.stop();
  return [
    {
      id: "P16",
      name: "CPU of an idle agent that reads a GPU, in ms per second",
      ...overRounds(rounds),
      unit: "ms/s",
      goal_now: { atMost: 2.5 },
      goal: { atMost: 2.5 },
      detail: { resident_mb: memory },
    },
  ];
}

/** @throws if the agent reads no GPU: its idleness would cost less */
async function checkGpu({ port }: Chain): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/gpu`);
  if (!Gpu.parse(await answer.json()).available) throw new Error("the idle agent reads no GPU");
}
