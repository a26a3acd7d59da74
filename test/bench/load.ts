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
  seconds: number;
  /** Maximum number of answers that were open at the same moment. */
  peakOpen: number;
};

async function run(load: Load): Promise<LoadResult> {
  const { port, path, callers, until, rampMs = 0 } = load;
  const body = bodyOf(load);
  const length = Buffer.byteLength(body);
  const request = Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
  );
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
    seconds,
    peakOpen,
  };
}

process.on("message", (load) => {
  run(load as Load).then(
    (result) => process.send?.({ result }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
