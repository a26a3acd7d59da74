/** The simulated nvidia-smi lists the processes on its card, in the form of recorded outputs. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import {
  COMPUTE_APPS_QUERY,
  parseComputeApp,
} from "../../../agent/readings/nvidia/compute-apps.ts";
import { SIMULATED_SMI } from "../../../local/edge.ts";
import { startSimulatedOllama } from "../../../simulated/ollama.ts";
import { buildOnce } from "../../support/built.ts";

beforeAll(buildOnce);

const run = promisify(execFile);

const smi = async (args: readonly string[], ollamaUrl?: string): Promise<string[]> => {
  const env = { ...process.env, ...(ollamaUrl !== undefined && { SIMULATED_OLLAMA: ollamaUrl }) };
  const { stdout } = await run(process.execPath, [SIMULATED_SMI, ...args], { env });
  return stdout.trimEnd().split("\n");
};

const ALL = "timestamp,gpu_name,gpu_bus_id,gpu_serial,gpu_uuid,pid,process_name,used_gpu_memory";

async function withLoaded(models: string[], check: (url: string) => Promise<void>): Promise<void> {
  const ollama = await startSimulatedOllama({ models, loadMsPerGb: 0, tokenMs: 0 });
  try {
    for (const model of models) {
      const body = JSON.stringify({ model });
      const answer = await fetch(`${ollama.url}/api/generate`, { method: "POST", body });
      await answer.text();
    }
    await check(ollama.url);
  } finally {
    await ollama.close();
  }
}

test("has only a header without models in memory, like an idle card", async () => {
  expect(await smi([`--query-compute-apps=${ALL}`, "--format=csv"])).toEqual([
    "timestamp, gpu_name, gpu_bus_id, gpu_serial, gpu_uuid, pid, process_name, used_gpu_memory [MiB]",
  ]);
  expect(await smi(COMPUTE_APPS_QUERY)).toEqual([""]);
});

test("lists one runner for each model in memory, which keeps its pid", () =>
  withLoaded(["llama3.2:3b", "mistral:7b"], async (url) => {
    const rows = await smi([`--query-compute-apps=${ALL}`, "--format=csv,noheader"], url);
    for (const row of rows)
      expect(row).toMatch(
        /^\d{4}(\/\d\d){2} \d\d(:\d\d){2}\.\d{3}, NVIDIA .*, 00000000:01:00\.0, \[N\/A\], GPU-[\w-]{36}, \d+, \/usr\/local\/bin\/ollama, \d+ MiB$/,
      );
    const apps = (await smi(COMPUTE_APPS_QUERY, url)).map(parseComputeApp);
    expect(new Set(apps.map((app) => app?.pid)).size).toBe(2);
    const again = (await smi(COMPUTE_APPS_QUERY, url)).map(parseComputeApp);
    expect(again).toEqual(apps);
    const { models } = (await (await fetch(`${url}/api/ps`)).json()) as {
      models: { size_vram: number }[];
    };
    expect(apps.map((app) => app?.usedMb).sort()).toEqual(
      models.map(({ size_vram }) => Math.round(size_vram / 2 ** 20)).sort(),
    );
    // The same card as in the other query, or no placement could be found.
    const [uuid] = await smi(["--query-gpu=uuid", "--format=csv,noheader"], url);
    expect(new Set(apps.map((app) => app?.gpuUuid))).toEqual(new Set([uuid]));
  }));

test("refuses an unknown field, and lists the known ones", async () => {
  await expect(smi(["--query-compute-apps=nothing"])).rejects.toMatchObject({
    code: 2,
    stdout: expect.stringContaining('Field "nothing" is not a valid field to query.'),
  });
  expect((await smi(["--help-query-compute-apps"])).join("\n")).toContain(
    '"used_gpu_memory" or "used_memory"',
  );
});
