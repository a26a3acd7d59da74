/**
 * The load client: a process that runs one load after another and reports the results.
 *
 * Any wrong answer fails the whole load, because a figure over wrong answers means nothing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type AnswerPlan, apiOf, bodyOf, expectedOf } from "./answers.ts";
import { Caller, type Timing } from "./caller.ts";

/** The target of a load. */
export type Target = {
  port: number;
  path: string;
  /** Header lines of each request, such as a key. `host` replaces the default. */
  headers?: Readonly<Record<string, string>>;
};

export type Load = AnswerPlan & {
  to: Target;
  callers: number;
  /** The condition that ends a caller's work: a number of calls, or a time. */
  until: { calls: number } | { seconds: number };
  /** Time over which the callers start one after another. */
  rampMs?: number;
};

export type LoadResult = {
  firstMs: number[];
  totalMs: number[];
  /** Between the arrivals of the parts of all answers. */
  gapsMs: number[];
  seconds: number;
  /** Maximum number of answers that were open at the same moment. */
  peakOpen: number;
};

/** Calls two targets in short turns, A B B A, so that the rest of the machine meets both alike. */
export type Duel = AnswerPlan & {
  sides: [Target, Target];
  callers: number;
  /** Calls of each caller in one turn. */
  calls: number;
  rounds: number;
};

/** By target. Each round has two turns of each. */
export type DuelResult = { firstMs: number[]; turnMs: number[] }[];

const ORDER = [0, 1, 1, 0];

async function duel({
  sides: targets,
  callers,
  calls,
  rounds,
  ...plan
}: Duel): Promise<DuelResult> {
  const sides = await Promise.all(
    targets.map(async (target) => ({
      ...callOf(plan, target),
      callers: await Promise.all(
        Array.from({ length: callers }, () => Caller.open(target.port, () => {})),
      ),
      firstMs: [] as number[],
      turnMs: [] as number[],
    })),
  );
  for (let turn = 0; turn < rounds * ORDER.length; turn++) {
    const side = sides[ORDER[turn % ORDER.length] ?? 0];
    if (side === undefined) continue;
    // The Worker closes a connection that was silent for 5 s.
    side.callers = await Promise.all(
      side.callers.map((caller) => (caller.isOpen ? caller : Caller.open(caller.port, () => {}))),
    );
    const startMs = performance.now();
    await Promise.all(
      side.callers.map(async (caller) => {
        for (let call = 0; call < calls; call++)
          side.firstMs.push((await caller.call(side.request, side.expected)).firstMs);
      }),
    );
    side.turnMs.push(performance.now() - startMs);
  }
  return sides.map(({ callers: open, firstMs, turnMs }) => {
    for (const caller of open) caller.close();
    return { firstMs, turnMs };
  });
}

/** Returns the bytes of a call and those of its answer. */
function callOf(
  plan: AnswerPlan,
  { port, path, headers }: Target,
): Record<"request" | "expected", Buffer> {
  const api = apiOf(path);
  const body = bodyOf(plan, api);
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  return { request, expected: expectedOf(plan, api) };
}

async function run(load: Load): Promise<LoadResult> {
  const { to, callers, until, rampMs = 0 } = load;
  const { request, expected } = callOf(load, to);
  const timings: Timing[] = [];
  let [open, peakOpen] = [0, 0];
  const onFirstByte = () => {
    peakOpen = Math.max(peakOpen, ++open);
  };
  const begin = async (delayMs: number) => {
    if (delayMs > 0) await sleep(delayMs);
    return Caller.open(to.port, onFirstByte);
  };
  const callRepeatedly = async (caller: Caller, startMs: number) => {
    const goesOn = (calls: number) =>
      "calls" in until ? calls < until.calls : performance.now() - startMs < until.seconds * 1_000;
    for (let calls = 0; goesOn(calls); calls++) {
      timings.push(await caller.call(request, expected));
      open--;
    }
    caller.close();
  };
  const delays = Array.from({ length: callers }, (_, index) => (index * rampMs) / callers);
  // Without a ramp, all connections are open before the first call, so that opening them is not
  // measured.
  const ready = rampMs > 0 ? [] : await Promise.all(delays.map(begin));
  const startMs = performance.now();
  await (rampMs > 0
    ? Promise.all(delays.map(async (delayMs) => callRepeatedly(await begin(delayMs), startMs)))
    : Promise.all(ready.map((caller) => callRepeatedly(caller, startMs))));
  const seconds = (performance.now() - startMs) / 1_000;
  return {
    firstMs: timings.map(({ firstMs }) => firstMs),
    totalMs: timings.map(({ totalMs }) => totalMs),
    gapsMs: timings.flatMap(({ gapsMs }) => gapsMs),
    seconds,
    peakOpen,
  };
}

process.on("message", (message) => {
  const load = message as Load | Duel;
  const result: Promise<LoadResult | DuelResult> = "sides" in load ? duel(load) : run(load);
  result.then(
    (measured) => process.send?.({ result: measured }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
