/**
 * Many callers that never finish their request, and minutes of load: nothing slows down, nothing
 * grows.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../../local/edge.ts";
import type { Child } from "../bench/children.ts";
import { freePort } from "../support/stack.ts";
import { summaryOf } from "./accounts.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { Heap, inspected } from "./heap.ts";
import { anyCall, type Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type SlowlorisPlan = { sockets: number; rounds: number; calls: number };
export type SoakPlan = {
  /**
   * Calls before the measurement. After them, everything that is remembered up to a limit has
   * reached its limit.
   */
  warmCalls: number;
  seconds: number;
};

const BEGIN_MS = 30_000;

/** Opens sockets that send their request one byte at a time. */
export async function slowloris(
  { stage }: Setting,
  { sockets, rounds, calls }: SlowlorisPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers } = chain;
  const round = async () => {
    let left = calls;
    const before = callers.entries.length;
    await callers.load(
      8,
      () => ({ shape: "ndjson", tokens: 10, tokenMs: 1 }),
      () => left-- <= 0,
    );
    return callers.entries.slice(before).map(({ totalMs }) => totalMs);
  };
  await round();
  const [without, beside]: [number[], number[]] = [[], []];
  let alive = 0;
  for (let turn = 0; turn < rounds; turn++) {
    without.push(...(await round()));
    const dribblers = stage.children.start({
      name: "dribblers",
      args: [join(ROOT, "test/faults/dribblers.ts")],
      hasIpc: true,
    });
    await dribblers.request<number>({ sockets, port: chain.port }, BEGIN_MS);
    beside.push(...(await round()));
    alive = await dribblers.request<number>({}, BEGIN_MS);
    await dribblers.kill();
  }
  const [alone, together] = [spreadOf(without), spreadOf(beside)];
  const accounts = await chain.accounts();
  const ratio = together.p99 / alone.p99;
  return [
    promise(
      "R18",
      `${sockets} sockets that dribble their request`,
      "calls are served",
      `${alive} of them still open; ${summaryOf(accounts)}`,
      [...callers.wrongs, ...accounts.problems],
    ),
    measured(
      "R18",
      "calls beside them / calls without them",
      "p99 <= 1.2 x",
      `p99 ${ratio.toFixed(2)} x (${together.text} against ${alone.text}), ${loadNow()}`,
      ratio <= 1.2,
    ),
  ];
}

const PARTS = ["workerd", "agent"] as const;
type Part = (typeof PARTS)[number];

type Sample = { atMs: number; mb: number; descriptors: number };
/** MB of live objects, after a garbage collection. */
type Alive = { atMs: number; mb: number };

const WARM_LATEST_MS = 10 * 60_000;
const SLOPE_MAX_MB_PER_MINUTE = 3;
/** Growth of live objects beyond this is a leak. Their size varies with the open streams. */
const ALIVE_SLOPE_MAX_MB_PER_MINUTE = 0.5;
/**
 * Seconds between two measurements of live objects, because a garbage collection stops everything
 * for a moment.
 */
const ALIVE_EVERY = 5;
const DESCRIPTORS_SLACK = 20;

/** Runs load and cuts the tunnel every two seconds. */
export async function soak(
  { stage, random, print }: Setting,
  { warmCalls, seconds }: SoakPlan,
): Promise<Finding[]> {
  const ports = { workerd: await freePort(), agent: await freePort() };
  await using chain = await stage.chain({
    inspectorPort: ports.workerd,
    agentEnv: inspected(ports.agent),
  });
  const heaps = { workerd: await Heap.of(ports.workerd), agent: await Heap.of(ports.agent) };
  const { callers, proxy } = chain;
  let isOver = false;
  const load = callers.load(32, anyCall(random, 20, 5), () => isOver, 40);
  const samples: Record<Part, Sample[]> = { workerd: [], agent: [] };
  const alive: Record<Part, Alive[]> = { workerd: [], agent: [] };
  await until(
    () => callers.entries.length >= warmCalls,
    `${warmCalls} calls are over`,
    WARM_LATEST_MS,
  );
  print(`warm after ${callers.entries.length} calls`);
  const startMs = performance.now();
  for (let tick = 0; performance.now() - startMs < seconds * 1_000; tick++) {
    await sleep(1_000);
    for (const part of PARTS) {
      samples[part].push(sampleOf(chain.part(part), performance.now() - startMs));
      if (tick % ALIVE_EVERY === 0)
        alive[part].push({ atMs: performance.now() - startMs, mb: await heaps[part].aliveMb() });
    }
    if (tick % 2 === 0) proxy.cut();
    if (tick % 60 === 59)
      print(
        `${callers.entries.length} calls, workerd ${Math.round(samples.workerd.at(-1)?.mb ?? 0)} MB, agent ${Math.round(samples.agent.at(-1)?.mb ?? 0)} MB`,
      );
  }
  isOver = true;
  for (const part of PARTS) heaps[part].close(); // an open inspector would keep Node from ending
  await load;
  await chain.endWaiting();
  const accounts = await chain.accounts();
  const findings = PARTS.flatMap((part) => [
    growthOf(part, samples[part]),
    aliveOf(part, alive[part]),
  ]);
  return [
    promise(
      "R19",
      `${seconds} s of load with a cut every 2 s`,
      "counters equal the ledger's records",
      summaryOf(accounts),
      [...callers.wrongs, ...accounts.problems],
    ),
    ...findings,
  ];
}

const sampleOf = (child: Child, atMs: number): Sample => ({
  atMs,
  mb: child.residentMb(),
  descriptors: child.descriptors(),
});

function growthOf(part: Part, samples: readonly Sample[]): Finding {
  const perMinute = slopeOf(samples.map(({ atMs, mb }) => [atMs / 60_000, mb]));
  const third = Math.max(1, Math.floor(samples.length / 3));
  const most = (some: readonly Sample[]) => Math.max(...some.map(({ descriptors }) => descriptors));
  const [first, last] = [most(samples.slice(0, third)), most(samples.slice(-third))];
  const got = `${perMinute.toFixed(2)} MB a minute at ${Math.round(samples.at(-1)?.mb ?? 0)} MB; ${first} then ${last} open files, ${loadNow()}`;
  return measured(
    "R19",
    `memory and open files of ${part}`,
    "no growth",
    got,
    perMinute <= SLOPE_MAX_MB_PER_MINUTE && last <= first + DESCRIPTORS_SLACK,
  );
}

function aliveOf(part: Part, alive: readonly Alive[]): Finding {
  const perMinute = slopeOf(alive.map(({ atMs, mb }) => [atMs / 60_000, mb]));
  const [from, to] = [
    Math.min(...alive.map(({ mb }) => mb)),
    Math.max(...alive.map(({ mb }) => mb)),
  ];
  const got = `${perMinute.toFixed(2)} MB a minute, ${from.toFixed(1)} to ${to.toFixed(1)} MB (n=${alive.length})`;
  return measured(
    "R19",
    `live objects in ${part} after a garbage collection`,
    "no growth",
    got,
    perMinute <= ALIVE_SLOPE_MAX_MB_PER_MINUTE,
  );
}

/** Returns the slope of the least-squares line. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
