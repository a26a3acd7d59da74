/**
 * A box with a GPU refuses a pin of a larger model. When it loses the GPU, it leaves the choice while another box has
 * the model, and returns by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiError } from "../../protocol/api/shapes.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { fakeSmi, OFF_THE_BUS, type Step } from "../support/fake-nvidia-smi.ts";
import { eventually, TestStack } from "../support/stack.ts";

const ROWS: Step = {
  rows: [
    {
      index: "0",
      uuid: "GPU-1",
      name: "NVIDIA RTX 3090",
      driver_version: "595.80",
      "utilization.gpu": "42",
      "memory.used": "1000",
      "memory.total": "24576",
    },
  ],
};

const smi = fakeSmi([ROWS]);
let stack: TestStack;
let ollamas: SimulatedOllama[] = [];

beforeAll(async () => {
  ollamas = await Promise.all(
    [1, 2].map((seed) =>
      startSimulatedOllama({ models: ["m:1b", "llama3.3:70b"], loadMsPerGb: 0, seed }),
    ),
  );
  stack = await TestStack.start();
  await stack.startAgent({
    name: "warm",
    ollamaUrl: ollamas[0]?.url ?? "",
    env: { NVIDIA_SMI: smi.command },
  });
  await eventually(async () => (await stack.boxes())[0]?.gpus.length === 1);
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await Promise.all(ollamas.map((ollama) => ollama.close()));
});

async function placeOf(): Promise<string | null> {
  const answer = await fetch(`${stack.url}/ollama/api/generate`, {
    method: "POST",
    body: JSON.stringify({ model: "m:1b", prompt: "Hello", stream: false }),
  });
  await answer.text();
  await delay(100); // the fleet of the isolate grows old meanwhile
  return answer.headers.get("x-box");
}

const untilPlaced = (box: string) => eventually(async () => (await placeOf()) === box);

test("a pin that cannot fit on the GPU of a box is refused with the numbers", async () => {
  const refused = await fetch(`${stack.url}/api/pins`, {
    method: "PUT",
    body: JSON.stringify({ model: "llama3.3:70b", box: "warm" }),
  });
  const { error } = ApiError.parse(await refused.json());
  expect([refused.status, error.code]).toEqual([409, "pin_too_large"]);
  expect(error.message).toMatch(/llama3.3:70b .*\d+\.\d GB.* 25\.8 GB/);
  expect(await stack.json("/api/pins")).toMatchObject({ pins: [] });
});

test("calls leave a box whose GPU is lost, health reports it, and they return with the GPU", async () => {
  expect(await placeOf()).toBe("warm");
  await stack.startAgent({ name: "cold", ollamaUrl: ollamas[1]?.url ?? "" });
  // Otherwise the isolate learns of the second box when it next refreshes the fleet.
  await fetch(`${stack.url}/ollama/@cold/api/version`);
  await untilPlaced("warm");
  smi.turnTo(OFF_THE_BUS);
  await untilPlaced("cold");
  const { status, concerns } = await stack.health();
  expect([status, concerns.map(({ code }) => code)]).toEqual(["degraded", ["gpu_lost"]]);
  smi.plan([ROWS]);
  await eventually(async () => (await stack.health()).status === "healthy");
  // Both have the model in memory now, and calls go to both.
  await untilPlaced("warm");
});
