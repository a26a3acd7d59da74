/**
 * The load client: a process that runs one load after another and reports the results.
 *
 * Any wrong answer fails the whole load, because a figure over wrong answers means nothing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type AnswerPlan, bodyOf, expectedOf } from "./answers.ts";
import { Caller, type Timing } from "./caller.ts";

export type Load = AnswerPlan & {
  port: number;
  path: string;
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
  ports: [number, number];
  path: string;
  callers: number;
  /** Calls of each caller in one turn. */
  calls: number;
  rounds: number;
};

/** By target. Each round has two turns of each. */
export type DuelResult = { firstMs: number[]; turnMs: number[] }[];

const ORDER = [0, 1, 1, 0];

async function duel({ ports, callers, calls, rounds, ...plan }: Duel): Promise<DuelResult> {
  const expected = expectedOf(plan);
  const sides = await Promise.all(
    ports.map(async (port) => ({
      request: requestOf({ ...plan, port }),
      callers: await Promise.all(
        Array.from({ length: callers }, () => Caller.open(port, () => {})),
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
          side.firstMs.push((await caller.call(side.request, expected)).firstMs);
      }),
    );
    side.turnMs.push(performance.now() - startMs);
  }
  return sides.map(({ callers: open, firstMs, turnMs }) => {
    for (const caller of open) caller.close();
    return { firstMs, turnMs };
  });
}

function requestOf(load: AnswerPlan & { port: number; path: string }): Buffer {
  const { port, path } = load;
  const body = bodyOf(load);
  const length = Buffer.byteLength(body);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
  );
}

async function run(load: Load): Promise<LoadResult> {
  const { port, callers, until, rampMs = 0 } = load;
  const request = requestOf(load);
  const expected = expectedOf(load);
  const timings: Timing[] = [];
  let [open, peakOpen] = [0, 0];
  const onFirstByte = () => {
    peakOpen = Math.max(peakOpen, ++open);
  };
  const begin = async (delayMs: number) => {
    if (delayMs > 0) await sleep(delayMs);
    return Caller.open(port, onFirstByte);
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
  const result: Promise<LoadResult | DuelResult> = "ports" in load ? duel(load) : run(load);
  result.then(
    (measured) => process.send?.({ result: measured }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
