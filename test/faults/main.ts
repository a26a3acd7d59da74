/**
 * `npm run test:faults`: breaks real processes, sockets, disks and clocks from outside, and compares what
 * callers saw with what was recorded.
 *
 * Bounded in count and time, seeded. `node test/faults/main.ts records memory` runs only these suites;
 * `SEED=7` repeats a run as far as the machine lets it. Prints a table of the figures, and ends with
 * exit code 1 when a promise is broken; goals that a busy machine may miss are told and fail nothing.
 */
import { type Finding, problemsOf, tableOf } from "./figures.ts";
import { loadNow, Stage } from "./stage.ts";
import { seeded } from "./suite.ts";
import { SUITES, type SuiteName } from "./suites.ts";

async function main(): Promise<void> {
  const asked = process.argv.slice(2);
  const names = Object.keys(SUITES) as SuiteName[];
  const unknown = asked.find((name) => !names.some((known) => known === name));
  if (unknown !== undefined)
    throw new Error(`no suite is called ${unknown}; there are ${names.join(", ")}`);
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
  console.log(`seed ${seed}, ${loadNow()}`);
  await using stage = await Stage.open();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void stage[Symbol.asyncDispose]().then(() => process.exit(130)));
  const findings: Finding[] = [];
  for (const name of names.filter((known) => asked.length === 0 || asked.includes(known))) {
    const startMs = performance.now();
    console.log(`${name}: begins, ${loadNow()}`);
    const setting = {
      stage,
      random: seeded(seed),
      say: (line: string) => console.log(`${name}: ${line}`),
    };
    const found = await SUITES[name].full(setting).catch((error: unknown) => {
      console.error(stage.children.tails());
      throw error;
    });
    findings.push(...found);
    console.log(
      `${name}: ${Math.round((performance.now() - startMs) / 1_000)} s\n${tableOf(found)}\n${problemsOf(found)}`,
    );
  }
  console.log(`\n${tableOf(findings)}\n`);
  const broken = findings.filter(({ verdict }) => verdict === "BROKEN");
  if (broken.length === 0) return;
  console.error(`${broken.length} promises are broken, seed ${seed}:\n${problemsOf(broken)}`);
  process.exitCode = 1;
}

await main();
// Not left to an empty event loop: after thousands of children and sockets Node 24 may wait for ever for handles to close.
process.exit();
