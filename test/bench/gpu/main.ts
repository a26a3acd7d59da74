/**
 * `npm run bench:gpu <model>`: compares the energy of requests with the counter of the GPU, which keeps
 * its own account of every joule. Needs a running Ollama, an NVIDIA GPU from Volta on, and python3.
 *
 * It starts an edge and an agent of its own beside that Ollama, which must be free for these three
 * minutes. Requests are sent alone and together, through the edge. The counter moves about every
 * 100 ms: for a request of one second the comparison itself is off by up to 2 %.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ollamaHost } from "../../../agent/config.ts";
import { LINGER_MS } from "../../../agent/readings/nvidia/power-stream.ts";
import { ROOT } from "../../../local/edge.ts";
import { energySince, type GpuEnergy, NO_ENERGY } from "../../../protocol/gpu-energy.ts";
import { WATCHED_FOR_MS } from "../../../protocol/limits.ts";
import { eventually, TestStack } from "../../support/stack.ts";
import { preciseCpuMsOf } from "../children.ts";
import { median, round } from "../figures.ts";
import { type Ask, type Call, generate, tokensPerSecond } from "./calls.ts";
import { EnergyCounter, GpuBenchError } from "./counter.ts";
import { type Compared, comparedTable, energyLines, recordLines } from "./report.ts";

const BOX = "gpu";
/** An idle box reports its models, its machine and ten readings of the GPU in this time. */
const IDLE_MS = 20_000;
/** For a while after a request the agent reads the power quickly, and after a look it reports often. */
const CALM_MS = LINGER_MS + WATCHED_FOR_MS;
/** The power of a GPU settles between two requests. */
const PAUSE_MS = 1_500;
const LATE_ROWS_MS = 300;
/**
 * A request that waits longer than Ollama takes to begin was held back by the agent, which knows the slots
 * of Ollama by `OLLAMA_NUM_PARALLEL`. Until then it costs nothing.
 */
const QUEUED_MS_MIN = 200;
const WORDS = 40;
const SHORT_TOKENS = 64;
const TURNS = 12;

/** Seconds of the requests that are sent alone. */
const ALONE_S = [1, 1, 1, 1, 2, 2, 3, 3, 3, 5, 10, 10];

/** Requests that are open together: how many, seconds of each alone, and ms between their starts. */
const TOGETHER = [
  { count: 2, seconds: 3, apartMs: 1_000 },
  { count: 4, seconds: 2, apartMs: 600 },
  { count: 4, seconds: 3, apartMs: 0 },
  { count: 8, seconds: 1, apartMs: 150 },
];

async function main(): Promise<void> {
  const [model] = process.argv.slice(2);
  if (model === undefined)
    throw new GpuBenchError("Name a model that fits the GPU: npm run bench:gpu <model>");
  const ollama = new URL(ollamaHost(process.env.OLLAMA_HOST ?? "127.0.0.1:11434")).origin;
  using counter = await EnergyCounter.start();
  await using stack = await TestStack.start();
  const nvidiaSmi = process.env.NVIDIA_SMI ?? "nvidia-smi";
  const agent = await stack.startAgent({
    name: BOX,
    ollamaUrl: ollama,
    env: { NVIDIA_SMI: nvidiaSmi },
  });
  const edge = `${stack.url}/ollama`;
  const ask = (words: number, tokens: number): Ask => ({ model, words, tokens });
  console.log(`Loading ${model} …`);
  await generate(edge, ask(WORDS, SHORT_TOKENS));
  const rate = tokensPerSecond(await generate(edge, ask(WORDS, SHORT_TOKENS)));

  const cpuMs = () => preciseCpuMsOf(agent.pid ?? 0);
  await sleep(CALM_MS);
  const idleCpu = await perSecond(cpuMs);
  const before = await totals(stack);

  const calls: { name: string; call: Call }[] = [];
  for (const seconds of ALONE_S) {
    const call = await generate(edge, ask(WORDS, Math.ceil(rate * seconds)));
    calls.push({ name: "alone", call });
    await sleep(PAUSE_MS);
  }
  for (const { count, seconds, apartMs } of TOGETHER) {
    const group = Array.from({ length: count }, async (_, index) => {
      await sleep(index * apartMs);
      const call = await generate(edge, ask(WORDS * (1 + index), Math.ceil(rate * seconds)));
      calls.push({ name: `${count} together`, call });
    });
    await Promise.all(group);
    await sleep(PAUSE_MS);
  }
  const after = await totals(stack);

  const overhead = await besideDirect(ollama, edge, ask(WORDS, SHORT_TOKENS));
  await sleep(LATE_ROWS_MS);
  const compared = await compare(stack, counter, calls);
  const integral = {
    counted_j: round(counter.joulesIn({ fromMs: before.atMs, toMs: after.atMs })),
    seconds: round((after.atMs - before.atMs) / 1_000),
    metered: energySince(before.energy, after.energy),
  };
  const [gpu] = (await stack.boxes())[0]?.gpus ?? [];
  const report = {
    at: new Date().toISOString(),
    gpu: gpu?.name ?? null,
    model,
    tokens_per_second: round(rate),
    idle_agent_cpu_ms_per_s: round(idleCpu),
    requests: compared,
    integral,
    overhead,
  };
  writeFileSync(join(ROOT, "bench-gpu.json"), `${JSON.stringify(report, null, 2)}\n`);
  const { first_ms, tokens_per_second } = overhead;
  console.log(
    [
      `\n${report.gpu}, ${model}, ${report.tokens_per_second} tokens/s\n`,
      comparedTable(compared),
      "",
      ...energyLines(compared, integral),
      ...recordLines(compared),
      `idle agent: ${report.idle_agent_cpu_ms_per_s} ms of CPU a second`,
      `first byte: ${first_ms.direct} ms from Ollama, ${first_ms.through} ms through the edge`,
      `tokens/s: ${tokens_per_second.direct} from Ollama, ${tokens_per_second.through} through the edge`,
    ].join("\n"),
  );
}

async function perSecond(read: () => number): Promise<number> {
  const [before, startMs] = [read(), performance.now()];
  await sleep(IDLE_MS);
  return (1_000 * (read() - before)) / (performance.now() - startMs);
}

/**
 * Returns the running totals of the agent's meter. An idle agent reports them rarely: somebody who
 * looks makes it send them every two seconds.
 */
async function totals(stack: TestStack): Promise<{ atMs: number; energy: GpuEnergy }> {
  const look = new AbortController();
  const live = await fetch(`${stack.url}/api/live`, { signal: look.signal });
  const startMs = Date.now();
  try {
    return await eventually(async () => {
      const box = (await stack.boxes()).find(({ name }) => name === BOX);
      const atMs = Date.parse(box?.readings_at ?? "");
      // The first readings may have been under way.
      if (!(atMs > startMs + 1_000)) return;
      return { atMs, energy: box?.energy ?? NO_ENERGY };
    });
  } finally {
    look.abort();
    await live.body?.cancel().catch(() => {});
  }
}

async function compare(
  stack: TestStack,
  counter: EnergyCounter,
  calls: readonly { name: string; call: Call }[],
): Promise<Compared[]> {
  const records = await Promise.all(calls.map(({ call }) => stack.record(call.id)));
  const windows = calls.map(({ call: { fromMs, toMs } }, index) => {
    const waitedMs = records[index]?.queue_ms ?? 0;
    return { fromMs: fromMs + (waitedMs > QUEUED_MS_MIN ? waitedMs : 0), toMs };
  });
  const shares = counter.sharesOf(windows);
  return calls.map(({ name, call }, index) => {
    const { final } = call;
    const [record, window] = [records[index], windows[index]];
    if (record === undefined || window === undefined) throw new Error(`${call.id} has no record`);
    return {
      name,
      from_ms: round(window.fromMs),
      to_ms: round(window.toMs),
      waited_ms: round(window.fromMs - call.fromMs),
      counted_j: shares[index] ?? Number.NaN,
      recorded_j: record.energy_j,
      method: record.energy_method,
      tokens_differ:
        record.completion_tokens !== final.eval_count ||
        record.prompt_tokens !== final.prompt_eval_count,
      phases_off_ms: Math.max(
        Math.abs((record.decode_ms ?? Number.NaN) - final.eval_duration / 1e6),
        Math.abs((record.prefill_ms ?? Number.NaN) - final.prompt_eval_duration / 1e6),
      ),
      first_later_ms: call.firstMs - call.fromMs - (record.ttft_ms ?? Number.NaN),
    };
  });
}

/** Sends short calls to Ollama and through the edge, in turns. */
async function besideDirect(ollama: string, edge: string, ask: Ask) {
  const direct: Call[] = [];
  const through: Call[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    direct.push(await generate(ollama, ask));
    through.push(await generate(edge, ask));
  }
  const firstMs = (calls: Call[]) => round(median(calls.map((call) => call.firstMs - call.fromMs)));
  const rate = (calls: Call[]) =>
    round(
      median(
        calls.map(({ firstMs: first, toMs, final }) => (1_000 * final.eval_count) / (toMs - first)),
      ),
    );
  return {
    first_ms: { direct: firstMs(direct), through: firstMs(through) },
    tokens_per_second: { direct: rate(direct), through: rate(through) },
  };
}

try {
  await main();
} catch (error) {
  if (!(error instanceof GpuBenchError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
