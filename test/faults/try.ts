import { problemsOf, tableOf } from "./figures.ts";
import { Stage } from "./stage.ts";
import { seeded } from "./suite.ts";
import { SUITES, type SuiteName } from "./suites.ts";

await using stage = await Stage.open();
for (const name of process.argv.slice(2) as SuiteName[]) {
  const t = performance.now();
  const found = await SUITES[name]
    .slice({ stage, random: seeded(Number(process.env.SEED ?? 1)), say: (line) => console.log(name, line) })
    .catch((e) => {
      console.error(stage.children.tails());
      throw e;
    });
  console.log(`${name} ${Math.round(performance.now() - t)} ms\n${tableOf(found)}\n${problemsOf(found)}`);
}
