/**
 * `npm run test:faults`: breaks real processes, sockets, disks and clocks from outside, and
 * compares what callers received with what was recorded.
 *
 * Limited in count and time, and seeded. `node test/faults/main.ts resume soak` runs only these
 * suites; `SEED=7` repeats a run as far as the machine allows. Prints a table of the figures and
 * ends with exit code 1 if a promise is broken. Goals that a busy machine may miss are printed and
 * fail nothing.
 */
import "../support/one-call-a-connection.ts";
import { type Finding, problemsOf, tableOf } from "./figures.ts";
import { Stage } from "./stage.ts";
import { seeded } from "./suite.ts";
import { SUITES, type SuiteName } from "./suites.ts";
import { loadNow } from "./waiting.ts";

async function main(): Promise<void> {
  const requested = process.argv.slice(2);
  const names = Object.keys(SUITES) as SuiteName[];
  const unknown = requested.find((name) => !names.some((known) => known === name));
  if (unknown !== undefined)
    throw new Error(`There is no suite ${unknown}. Use one of ${names.join(", ")}.`);
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
  console.log(`seed ${seed}, ${loadNow()}`);
  await using stage = Stage.open();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void stage[Symbol.asyncDispose]().then(() => process.exit(130)));
  const findings: Finding[] = [];
  for (const name of names.filter((known) => requested.length === 0 || requested.includes(known))) {
    const startMs = performance.now();
    console.log(`${name}: started, ${loadNow()}`);
    const setting = {
      stage,
      random: seeded(seed),
      print: (line: string) => console.log(`${name}: ${line}`),
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
// Does not wait for an empty event loop: after thousands of children and sockets, Node 24 may wait
// forever for handles to close.
process.exit();
