#!/usr/bin/env node
/**
 * A simulated nvidia-smi: `--query-gpu=… --format=csv,noheader,nounits [-l seconds | -lms ms]`,
 * `--query-compute-apps=…`, and the help of both. Fails as the real one does for an unknown field.
 *
 * Environment: `SIMULATED_OLLAMA` (URL of the simulated Ollama that loads the card; without it the
 * card is idle) and `SIMULATED_GPU` (a name from `gpus.ts`, rtx-4090 by default).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import * as z from "zod";
import { GPU_MODELS, type GpuModel, idleReading, nextReading } from "./gpus.ts";
import { powerOf } from "./power.ts";
import { APP_TABLE } from "./smi-apps.ts";
import { GPU_TABLE, uuidOf } from "./smi-fields.ts";

/** The response of the simulated Ollama's control route. */
const Load = z.object({
  load: z.number(),
  changes: z.array(z.object({ agoMs: z.number(), load: z.number() })),
  vram_used_bytes: z.number(),
  models: z.array(z.object({ name: z.string(), vram_bytes: z.number() })),
});
type Load = z.infer<typeof Load>;
const IDLE: Load = { load: 0, changes: [], vram_used_bytes: 0, models: [] };
const LOAD_MS = 2_000;

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
      "query-compute-apps": { type: "string" },
      "help-query-gpu": { type: "boolean", default: false },
      "help-query-compute-apps": { type: "boolean", default: false },
      format: { type: "string", default: "csv" },
      loop: { type: "string", short: "l" },
      "loop-ms": { type: "string" },
    },
  });
  if (values["help-query-gpu"]) stopWith(GPU_TABLE.help(), 0);
  if (values["help-query-compute-apps"]) stopWith(APP_TABLE.help(), 0);
  const apps = values["query-compute-apps"];
  const query = apps ?? values["query-gpu"];
  if (query === undefined)
    stopWith("This simulated nvidia-smi answers --query-gpu and --query-compute-apps only.", 2);
  const columns = query.split(",");
  const table = apps === undefined ? GPU_TABLE : APP_TABLE;
  const unknown = table.unknown(columns);
  if (unknown !== null) stopWith(`Field "${unknown}" is not a valid field to query.\n`, 2);
  const gpu =
    GPU_MODELS[process.env.SIMULATED_GPU ?? "rtx-4090"] ?? stopWith("No devices were found", 6);
  const format = values.format.split(",");
  if (!format.includes("noheader")) console.log(table.header(columns));
  if (apps !== undefined) return printApps(gpu, columns, !format.includes("nounits"));
  const loopMs =
    values["loop-ms"] ?? (values.loop === undefined ? undefined : Number(values.loop) * 1_000);
  await printRows(
    gpu,
    columns,
    !format.includes("nounits"),
    loopMs === undefined ? null : Number(loopMs),
  );
}

async function printApps(
  gpu: GpuModel,
  columns: readonly string[],
  hasUnits: boolean,
): Promise<void> {
  const uuid = uuidOf(gpu.name, process.env.BOX_NAME ?? "");
  const at = new Date();
  const { models } = await loadAt(process.env.SIMULATED_OLLAMA);
  for (const model of models)
    console.log(APP_TABLE.row(columns, { gpu, uuid, at, model }, hasUnits));
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
    console.log(GPU_TABLE.row(columns, { gpu, uuid, reading, power }, hasUnits));
    if (everyMs === null) return;
    await sleep(everyMs);
  }
}

// Nothing reads the output any more: the agent has ended.
process.stdout.on("error", () => process.exit(0));
await main();
