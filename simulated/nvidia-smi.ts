#!/usr/bin/env node
/**
 * A simulated nvidia-smi: `--query-gpu=… --format=csv,noheader,nounits [-l seconds | -lms ms]` and
 * `--help-query-gpu`. Fails as the real one does for an unknown field.
 *
 * Environment: `SIMULATED_OLLAMA` (URL of the simulated Ollama that loads the card; without it the
 * card is idle) and `SIMULATED_GPU` (a name from `gpus.ts`, rtx-4090 by default).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { GPU_MODELS, type GpuModel, idleReading, nextReading } from "./gpus.ts";
import { powerOf } from "./power.ts";
import { headerOf, helpText, rowOf, unknownField, uuidOf } from "./smi-fields.ts";

/** The response of the simulated Ollama's control route. */
const Load = z.object({
  load: z.number(),
  changes: z.array(z.object({ agoMs: z.number(), load: z.number() })),
  vram_used_bytes: z.number(),
});
type Load = z.infer<typeof Load>;
const IDLE: Load = { load: 0, changes: [], vram_used_bytes: 0 };
const LOAD_MS = 500;

/** An Ollama that has ended uses no GPU. */
async function loadAt(url: string | undefined): Promise<Load> {
  if (url === undefined) return IDLE;
  try {
    const response = await fetch(new URL("/_simulated/load", url), {
      signal: AbortSignal.timeout(LOAD_MS),
    });
    return Load.parse(await response.json());
  } catch {
    return IDLE;
  }
}

function stopWith(message: string, code: number): never {
  // The real program prints its errors to stdout too.
  console.log(message);
  process.exit(code);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    // An option with one dash and several letters, which Node cannot parse.
    args: process.argv.slice(2).map((text) => text.replace(/^-lms(?==|$)/, "--loop-ms")),
    options: {
      "query-gpu": { type: "string" },
      "help-query-gpu": { type: "boolean", default: false },
      format: { type: "string", default: "csv" },
      loop: { type: "string", short: "l" },
      "loop-ms": { type: "string" },
    },
  });
  if (values["help-query-gpu"]) stopWith(helpText(), 0);
  const columns =
    values["query-gpu"]?.split(",") ??
    stopWith("This simulated nvidia-smi answers --query-gpu only.", 2);
  const unknown = unknownField(columns);
  if (unknown !== null) stopWith(`Field "${unknown}" is not a valid field to query.\n`, 2);
  const gpu =
    GPU_MODELS[process.env.SIMULATED_GPU ?? "rtx-4090"] ?? stopWith("No devices were found", 6);
  const format = values.format.split(",");
  if (!format.includes("noheader")) console.log(headerOf(columns));
  const loopMs =
    values["loop-ms"] ?? (values.loop === undefined ? undefined : Number(values.loop) * 1_000);
  await printRows(
    gpu,
    columns,
    !format.includes("nounits"),
    loopMs === undefined ? null : Number(loopMs),
  );
}

/** @param everyMs  null prints one row */
async function printRows(
  gpu: GpuModel,
  columns: readonly string[],
  hasUnits: boolean,
  everyMs: number | null,
): Promise<void> {
  const uuid = uuidOf(gpu.name, process.env.BOX_NAME ?? "");
  let reading = idleReading();
  let at = performance.now();
  for (;;) {
    const { load, changes, vram_used_bytes } = await loadAt(process.env.SIMULATED_OLLAMA);
    const now = performance.now();
    reading = nextReading(
      gpu,
      reading,
      load,
      vram_used_bytes / 2 ** 20,
      (now - at) / 1_000,
      Math.random,
    );
    at = now;
    const power = powerOf(gpu, changes, vram_used_bytes > 0);
    console.log(rowOf(columns, { gpu, uuid, reading, power }, hasUnits));
    if (everyMs === null) return;
    await sleep(everyMs);
  }
}

// Nothing reads the output any more: the agent has ended.
process.stdout.on("error", () => process.exit(0));
await main();
