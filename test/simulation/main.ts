/**
 * `npm run test:simulation`: many worlds, each from its seed, on all processors.
 *
 *     SEEDS=10000 npm run test:simulation           seeds 1 to 10,000 (the default)
 *     FROM=500 SEEDS=100 npm run test:simulation    seeds 500 to 599
 *     SEED=1234 npm run test:simulation             one world, with a trace of its steps
 */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import * as z from "zod";
import { type Outcome, simulate } from "./world.ts";

const Settings = z.object({
  SEED: z.coerce.number().int().nonnegative().optional(),
  FROM: z.coerce.number().int().nonnegative().default(1),
  SEEDS: z.coerce.number().int().positive().default(10_000),
});

type Share = { from: number; step: number; until: number };
type Finished = { seed: number; outcome: Outcome } | { seed: number; failure: string };

const FAILURES_SHOWN = 10;

async function main(): Promise<void> {
  const { SEED, FROM, SEEDS } = Settings.parse(process.env);
  if (SEED !== undefined) {
    const outcome = await simulate(SEED, (line) => console.log(line));
    return console.log(outcome);
  }
  const startMs = performance.now();
  const failures: { seed: number; failure: string }[] = [];
  const sums = { worlds: 0, calls: 0, steps: 0, faults: 0, recorded: 0, resumed: 0 };
  const results: Record<string, number> = {};
  const take = (finished: Finished) => {
    sums.worlds++;
    if ("failure" in finished) return void failures.push(finished);
    for (const name of ["calls", "steps", "faults", "recorded", "resumed"] as const)
      sums[name] += finished.outcome[name];
    for (const [result, count] of Object.entries(finished.outcome.results))
      results[result] = (results[result] ?? 0) + count;
  };
  const threads = Math.max(1, availableParallelism());
  await Promise.all(
    Array.from({ length: threads }, (_, index) =>
      runShare({ from: FROM + index, step: threads, until: FROM + SEEDS }, take),
    ),
  );
  const seconds = (performance.now() - startMs) / 1_000;
  console.log(
    Object.entries({ ...sums, ...results })
      .map(([name, count]) => `${name} ${count.toLocaleString("en")}`)
      .join(", "),
  );
  console.log(`${seconds.toFixed(1)} s, ${failures.length} worlds broken`);
  failures.sort((a, b) => a.seed - b.seed);
  for (const { seed, failure } of failures.slice(0, FAILURES_SHOWN))
    console.log(`  SEED=${seed} npm run test:simulation   # ${failure}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

function runShare(share: Share, take: (finished: Finished) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.on("message", take);
    worker.once("error", reject);
    worker.once("exit", () => resolve());
  });
}

async function work({ from, step, until }: Share): Promise<void> {
  for (let seed = from; seed < until; seed += step) {
    try {
      parentPort?.postMessage({ seed, outcome: await simulate(seed) } satisfies Finished);
    } catch (error) {
      const failure =
        error instanceof Error
          ? error.name === "Broken"
            ? error.message
            : String(error.stack)
          : String(error);
      parentPort?.postMessage({ seed, failure } satisfies Finished);
    }
  }
}

if (isMainThread) await main();
else await work(workerData as Share);
