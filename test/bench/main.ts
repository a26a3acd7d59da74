/**
 * `npm run bench`: the cost of the product. Times are ratios to baselines of the same run.
 *
 * Direct calls (caller → stand-in Ollama), the echo floor (Worker → Box → agent and back, with
 * nothing in it) and the whole chain take turns in rounds; a figure is the median over rounds.
 * Every answer is compared byte by byte, and the Worker must have counted each call once. Otherwise
 * the benchmark fails.
 *
 * Prints a table and writes `bench.json`. `node test/bench/main.ts P1 P10` measures only these
 * figures and those measured along with them.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../local/edge.ts";
import { measureBodies } from "./bodies.ts";
import { measureBodyMemory } from "./body-memory.ts";
import { countedCosts } from "./counted.ts";
import type { Figure } from "./figures.ts";
import { measureFirstByte } from "./first-byte.ts";
import { measureIdleAgent } from "./idle-agent.ts";
import { machine, watchOthers } from "./machine.ts";
import { measureMessages } from "./messages.ts";
import { measureMoved } from "./moved.ts";
import { measureOpenStreams } from "./open-streams.ts";
import { measurePeers } from "./peers/beside.ts";
import { measureReads } from "./reads.ts";
import { detailsOf, jsonOf, noiseOf, tableOf } from "./report.ts";
import { measureSides } from "./sides.ts";
import { measureSizes } from "./sizes.ts";
import { Stage } from "./stage.ts";
import { measureStreams } from "./streams.ts";
import { measureThroughput } from "./throughput.ts";
import { measureUploads } from "./uploads.ts";

const KNOWN = [
  "P1",
  "P4",
  "P6",
  "P7",
  "P8",
  "P10",
  "P11",
  "P12",
  "P13",
  "P14",
  "P15",
  "P16",
  "P17",
  "P18",
  "P19",
  "P20",
  "P21",
  "P22",
  "P23",
];

/** The figures, and the table of the peers if they were measured. */
type Measured = { figures: Figure[]; peers: string };

async function measure(stage: Stage, wanted: ReadonlySet<string>): Promise<Measured> {
  const figures: Figure[] = [];
  let peers = "";
  const isWanted = (...ids: string[]) => ids.some((id) => wanted.has(id));
  const add = (more: Figure[]) => {
    figures.push(...more);
    console.log(more.map(({ id, value, unit }) => `  ${id}: ${value} ${unit}`).join("\n"));
  };
  const chained = ["P1", "P4", "P6", "P7", "P8", "P12", "P14", "P17", "P18", "P19", "P20"];
  if (isWanted(...chained)) {
    const floor = await stage.startFloor();
    const chain = await stage.startChain("chain");
    if (isWanted("P4", "P6")) add(await measureThroughput(stage, floor, chain));
    if (isWanted("P1")) add(await measureFirstByte(stage, floor, chain));
    if (isWanted("P7", "P8", "P17", "P18")) add(await measureStreams(stage, floor, chain));
    if (isWanted("P14")) add(await measureUploads(stage, floor, chain));
    const fronted = isWanted("P12", "P20") ? await stage.startFronted("start") : null;
    const keyed = isWanted("P19", "P20") ? await stage.startKeyed("keyed") : null;
    if (isWanted("P12") && fronted !== null)
      add(
        await measureSides(stage, {
          id: "P12",
          plain: chain,
          other: fronted,
          names: ["workerd alone", "npm start"],
          goals: [{ atLeast: 0.95 }, { atMost: 1.05 }],
        }),
      );
    if (isWanted("P19") && keyed !== null)
      add(
        await measureSides(stage, {
          id: "P19",
          plain: chain,
          other: keyed,
          names: ["open", "with a key"],
          goals: [{ atLeast: 0.95 }, { atMost: 1.05 }],
        }),
      );
    if (isWanted("P20") && fronted !== null && keyed !== null) {
      const beside = await measurePeers(stage, floor, {
        "ollama-edge-serve": keyed,
        "without keys": chain,
        "npm start": fronted,
      });
      add(beside.figures);
      peers = beside.table;
    }
    for (const edge of [fronted, keyed]) {
      await edge?.check();
      await edge?.stop();
    }
    await chain.check();
    await chain.stop();
  }
  if (isWanted("P11")) add(await measureMessages(stage));
  if (isWanted("P13")) add(await measureBodies());
  if (isWanted("P15")) add(await measureBodyMemory(stage));
  if (isWanted("P16")) add(await measureIdleAgent(stage));
  if (isWanted("P21", "P22")) add(await measureReads(stage));
  if (isWanted("P23")) add(await measureMoved(stage));
  if (isWanted("P10")) add(await measureOpenStreams(stage));
  figures.sort((a, b) => Number.parseFloat(a.id.slice(1)) - Number.parseFloat(b.id.slice(1)));
  return { figures: [...figures, ...countedCosts(), ...measureSizes(stage.worker)], peers };
}

async function main(): Promise<void> {
  const requested = process.argv.slice(2);
  const unknown = requested.find((id) => !KNOWN.includes(id));
  if (unknown !== undefined)
    throw new Error(`There is no figure ${unknown}. Use one of ${KNOWN.join(", ")}.`);
  await using stage = new Stage();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stage[Symbol.asyncDispose]().then(() => process.exit(130)));
  }
  const startMs = performance.now();
  console.log("Measuring for about nine minutes …");
  try {
    await stage.open();
    const othersShare = watchOthers(stage.children);
    const { figures, peers } = await measure(
      stage,
      new Set(requested.length > 0 ? requested : KNOWN),
    );
    const others = Math.round(othersShare() * 100) / 100;
    const seconds = Math.round((performance.now() - startMs) / 1_000);
    const noise = noiseOf(figures);
    console.log(`\n${tableOf(figures)}\n\n${detailsOf(figures)}\n\n${peers}\n`);
    console.log(
      `${seconds} s. Other programs used ${Math.round(others * 100)} % of the machine. The rounds of ${noise.worst_id} differ most, by ${Math.round(noise.worst * 100)} % of its median.`,
    );
    const about = {
      at: new Date().toISOString(),
      seconds,
      machine: machine(),
      noise: { others_cpu_share: others, ...noise },
    };
    writeFileSync(join(ROOT, "bench.json"), jsonOf(figures, about));
  } catch (error) {
    console.error(stage.children.tails());
    throw error;
  }
}

await main();
