/**
 * P20: the product beside other gateways and tunnels, in turns with the same calls of OpenAI's API: short
 * answers at full speed, the first byte of a stream, and streams at the pace of a fast and of a real model.
 *
 * Portkey and `ssh -R` together do what the product does: a gateway in the cloud and a tunnel to the box. The
 * echo floor shows which goals a product of this shape can reach: the bare hops, without a request to Ollama.
 */
import { SHORT_TOKENS } from "../answers.ts";
import {
  type Figure,
  type Goal,
  inTurns,
  median,
  overRounds,
  quantile,
  round,
} from "../figures.ts";
import type { LoadResult } from "../load.ts";
import type { Chain, Stage } from "../stage.ts";
import { type Peer, startLocaltunnel, startPortkey, startSsh } from "./started.ts";

const ROUNDS = 3;
const CALLERS = 64;
const SHORT = { tokens: SHORT_TOKENS, tokenMs: 0, stream: false, callers: CALLERS };
const STREAM = { tokens: 100, stream: true, callers: CALLERS, until: { calls: 1 } };
const FIRST = { tokens: SHORT_TOKENS, tokenMs: 1, stream: true, callers: 1, until: { calls: 100 } };

/** One round of one of them. */
type Round = Record<keyof typeof COLUMNS, number>;

/** The columns of the table, and the names of their figures. */
const COLUMNS = {
  rps: "calls/s",
  p50: "p50 ms",
  p99: "p99 ms",
  cpu: "CPU ms/call",
  first50: "first byte p50",
  first99: "p99",
  fastMs: "100 tokens at 1 ms",
  fastCpu: "CPU ms/stream",
  gap50: "gap p50 at 20 ms",
  gap99: "p99",
  realCpu: "CPU ms/stream",
} as const;

const TOGETHER = "Portkey + ssh -R";
const OURS = "ollama-edge-serve";
const FLOOR = "the bare hops";

/** The figures that compare the product with Portkey and ssh. */
const RATIOS: [id: string, name: string, column: keyof Round, goal: Goal, final: Goal][] = [
  ["P20", "calls a second", "rps", { atLeast: 1.5 }, { atLeast: 2 }],
  ["P20.cpu", "CPU per short call", "cpu", { atMost: 0.7 }, { atMost: 0.5 }],
  ["P20.stream", "CPU per stream at 20 ms a token", "realCpu", { atMost: 0.4 }, { atMost: 0.3 }],
];

type Contender = { cpuMs(): number; run(load: object): Promise<LoadResult> };

/** The figures, and the table as text. */
export type Beside = { figures: Figure[]; table: string };

/** @param ours  the product, by name */
export async function measurePeers(
  stage: Stage,
  floor: Chain,
  ours: Record<string, Chain>,
): Promise<Beside> {
  const { children, folder, upstreamPort } = stage;
  const ground = { children, folder, upstreamPort };
  const ssh = await startSsh(ground);
  const started = {
    Portkey: await startPortkey(ground, upstreamPort),
    "ssh -R": ssh,
    [TOGETHER]:
      "reason" in ssh ? ssh : await togetherWith(await startPortkey(ground, ssh.port), ssh),
    localtunnel: await startLocaltunnel(ground),
  };
  const contenders = new Map<string, Contender>();
  const reasons = new Map<string, string>();
  for (const [name, chain] of Object.entries(ours)) {
    const target = { ...chain, path: "/v1/chat/completions" };
    contenders.set(name, {
      cpuMs: () => chain.workerd.treeCpuMs() + chain.agent.treeCpuMs() + chain.frontCpuMs(),
      run: (load) => stage.run(target, load as Parameters<Stage["run"]>[1]),
    });
  }
  contenders.set(FLOOR, {
    cpuMs: () => floor.workerd.treeCpuMs() + floor.agent.treeCpuMs(),
    run: (load) => {
      const path = (load as { stream: boolean }).stream ? "/stream" : "/";
      return stage.run({ port: floor.port, path }, load as Parameters<Stage["run"]>[1]);
    },
  });
  for (const [name, peer] of Object.entries(started))
    if ("reason" in peer) reasons.set(name, peer.reason);
    else
      contenders.set(name, {
        cpuMs: () => peer.processes.reduce((sum, child) => sum + child.treeCpuMs(), 0),
        run: (load) => stage.run(peer, load as Parameters<Stage["run"]>[1]),
      });
  const rounds = await roundsOf(contenders, reasons);
  for (const { processes } of Object.values(started).filter((peer) => "processes" in peer))
    await Promise.all(processes.map((child) => child.kill()));
  return { figures: figuresOf(rounds, reasons), table: tableOf(rounds, reasons) };
}

const togetherWith = (gateway: Awaited<ReturnType<typeof startPortkey>>, tunnel: Peer) =>
  "reason" in gateway
    ? gateway
    : { ...gateway, processes: [...gateway.processes, ...tunnel.processes] };

/** Measures each in turns. One that fails once is left out, for that reason. */
async function roundsOf(
  contenders: Map<string, Contender>,
  reasons: Map<string, string>,
): Promise<Map<string, Round[]>> {
  const rounds = new Map<string, Round[]>();
  const parts: Record<string, (index: number) => Promise<void>> = {};
  for (const [name, contender] of contenders)
    parts[name] = async () => {
      if (reasons.has(name)) return;
      try {
        // The first calls after a pause compile code and open connections.
        await contender.run({ ...SHORT, until: { calls: 4 } });
        rounds.set(name, [...(rounds.get(name) ?? []), await roundOf(contender)]);
      } catch (error) {
        reasons.set(name, (error as Error).message.slice(0, 200));
      }
    };
  await inTurns(ROUNDS, parts);
  return rounds;
}

async function roundOf(contender: Contender): Promise<Round> {
  const costOf = async (load: object) => {
    const before = contender.cpuMs();
    const result = await contender.run(load);
    return { ...result, cpu: (contender.cpuMs() - before) / result.totalMs.length };
  };
  const short = await costOf({ ...SHORT, until: { seconds: 2 } });
  const first = await costOf(FIRST);
  const fast = await costOf({ ...STREAM, tokenMs: 1, until: { calls: 4 } });
  const real = await costOf({ ...STREAM, tokenMs: 20 });
  return {
    rps: short.totalMs.length / short.seconds,
    p50: quantile(short.totalMs, 0.5),
    p99: quantile(short.totalMs, 0.99),
    cpu: short.cpu,
    first50: quantile(first.firstMs, 0.5),
    first99: quantile(first.firstMs, 0.99),
    fastMs: quantile(fast.totalMs, 0.5),
    fastCpu: fast.cpu,
    gap50: quantile(real.gapsMs, 0.5),
    gap99: quantile(real.gapsMs, 0.99),
    realCpu: real.cpu,
  };
}

function figuresOf(rounds: Map<string, Round[]>, reasons: Map<string, string>): Figure[] {
  const [ours, theirs] = [rounds.get(OURS), rounds.get(TOGETHER)];
  if (ours === undefined) throw new Error(`${OURS}: ${reasons.get(OURS)}`);
  if (theirs === undefined || reasons.has(TOGETHER)) return [];
  return RATIOS.map(([id, name, column, goal_now, goal]) => ({
    id,
    name: `${name} / ${TOGETHER}, ${CALLERS} at once`,
    ...overRounds(
      ours.map((each, index) => each[column] / (theirs[index]?.[column] ?? Number.NaN)),
    ),
    unit: "x",
    goal_now,
    goal,
    detail: {
      ours: round(median(ours.map((each) => each[column]))),
      theirs: round(median(theirs.map((each) => each[column]))),
      floor: round(median((rounds.get(FLOOR) ?? []).map((each) => each[column]))),
    },
  }));
}

function tableOf(rounds: Map<string, Round[]>, reasons: Map<string, string>): string {
  const columns = Object.entries(COLUMNS) as [keyof Round, string][];
  const names = new Set([...rounds.keys(), ...reasons.keys()]);
  const rows = [...names].map((name) => {
    const reason = reasons.get(name);
    if (reason !== undefined) return `| ${name} | unknown: ${reason} |`;
    const all = rounds.get(name) ?? [];
    const cells = columns.map(([column]) => {
      const value = median(all.map((each) => each[column]));
      return value >= 100 ? Math.round(value) : value.toPrecision(2);
    });
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  const head = `| beside peers | ${columns.map(([, title]) => title).join(" | ")} |`;
  return [head, `|${" --- |".repeat(columns.length + 1)}`, ...rows].join("\n");
}
