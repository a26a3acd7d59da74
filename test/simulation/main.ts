/**
 * `npm run test:simulation` and `npm run test:fleet`: many worlds, each from its seed, on all processors.
 * The worlds of the second have several boxes.
 *
 *     SEEDS=10000 npm run test:simulation           seeds 1 to 10,000 (the default)
 *     FROM=500 SEEDS=100 npm run test:simulation    seeds 500 to 599
 *     SEED=1234 npm run test:simulation             one world, with a trace of its steps
 */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import * as z from "zod";
import { simulateFleet } from "./fleet/world.ts";
import { simulate } from "./world.ts";

const Settings = z.object({
  SEED: z.coerce.number().int().nonnegative().optional(),
  FROM: z.coerce.number().int().nonnegative().default(1),
  SEEDS: z.coerce.number().int().positive().default(10_000),
});

/** The kinds of worlds, by the name of their command. */
const WORLDS = { simulation: simulate, fleet: simulateFleet } as const;
const Kind = z.enum(["simulation", "fleet"]);
type Kind = z.infer<typeof Kind>;

type Outcome = Awaited<ReturnType<(typeof WORLDS)[Kind]>>;
type Share = { kind: Kind; from: number; step: number; until: number };
type Finished = { seed: number; outcome: Outcome } | { seed: number; failure: string };

const FAILURES_SHOWN = 10;

async function main(kind: Kind): Promise<void> {
  const { SEED, FROM, SEEDS } = Settings.parse(process.env);
  if (SEED !== undefined) {
    const outcome = await WORLDS[kind](SEED, (line) => console.log(line));
    return console.log(outcome);
  }
  const startMs = performance.now();
  const failures: { seed: number; failure: string }[] = [];
  const sums: Record<string, number> = { worlds: 0 };
  const add = (name: string, count: number) => {
    sums[name] = (sums[name] ?? 0) + count;
  };
  const take = (finished: Finished) => {
    add("worlds", 1);
    if ("failure" in finished) return void failures.push(finished);
    const { results, ...counts } = finished.outcome;
    for (const [name, count] of Object.entries({ ...counts, ...results })) add(name, count);
  };
  const threads = Math.max(1, availableParallelism());
  await Promise.all(
    Array.from({ length: threads }, (_, index) =>
      runShare({ kind, from: FROM + index, step: threads, until: FROM + SEEDS }, take),
    ),
  );
  const seconds = (performance.now() - startMs) / 1_000;
  console.log(
    Object.entries(sums)
      .map(([name, count]) => `${name} ${count.toLocaleString("en")}`)
      .join(", "),
  );
  console.log(`${seconds.toFixed(1)} s, ${failures.length} worlds broken`);
  failures.sort((a, b) => a.seed - b.seed);
  for (const { seed, failure } of failures.slice(0, FAILURES_SHOWN))
    console.log(`  SEED=${seed} npm run test:${kind}   # ${failure}`);
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

async function work({ kind, from, step, until }: Share): Promise<void> {
  for (let seed = from; seed < until; seed += step) {
    try {
      const outcome = await WORLDS[kind](seed);
      parentPort?.postMessage({ seed, outcome } satisfies Finished);
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

if (isMainThread) await main(Kind.parse(process.argv[2] ?? "simulation"));
else await work(workerData as Share);
