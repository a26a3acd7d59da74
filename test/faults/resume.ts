/** The tunnel is cut at any byte in either direction, and callers notice only a pause. */
import { setTimeout as sleep } from "node:timers/promises";
import { CONDITION_MS } from "../support/patience.ts";
import { streamed } from "./callers.ts";
import type { Chain } from "./chain.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { anyShape, between, type Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type ResumePlan = {
  cuts: number;
  streams: number;
  tokens: number;
  stormMs: number;
  /** No cuts start after this time. The finding contains the number of cuts that were reached. */
  limitMs: number;
};

/**
 * Cuts of one agent, all within half a minute. An agent whose tunnel never stayed up for five
 * seconds in that time reconnects only every few seconds, so that an edge that drops every agent is
 * not overloaded. The storm tests that case.
 */
const CUTS_PER_AGENT = 40;
const TOKEN_MS = 30;
/** A stream without a byte for this long after the path is back counts as hung. */
const HANG_MS = CONDITION_MS;
/** Time between two cuts of the storm. */
const STORM_EVERY_MS = 50;
/** A cut that waits for a byte happens after this time without one. */
const CUT_LATEST_MS = 400;

export async function resume(
  setting: Setting,
  { cuts, streams, tokens, stormMs, limitMs }: ResumePlan,
): Promise<Finding[]> {
  const { print } = setting;
  const backMs: number[] = [];
  const problems: string[] = [];
  const got = { answers: 0, refused: 0, resumed: 0 };
  const startMs = performance.now();
  let done = 0;
  while (done < cuts && performance.now() - startMs < limitMs) {
    const some = Math.min(CUTS_PER_AGENT, cuts - done);
    await using load = await Streams.open(setting, streams, tokens);
    for (let cut = 0; cut < some; cut++) backMs.push(...(await load.cut()));
    problems.push(...(await load.end(got)));
    done += some;
    print(
      `${done} cuts, ${got.answers} answers, ${Math.round((performance.now() - startMs) / 1_000)} s`,
    );
  }
  const spread = spreadOf(backMs);
  const of = done < cuts ? ` (${done} of ${cuts} planned cuts fitted into the time)` : "";
  const findings = [
    promise(
      "R7",
      `the tunnel cut ${done} times at random bytes, ${streams} streams`,
      `every byte right${of}`,
      saidOfStreams(got),
      problems,
    ),
    measured(
      "R7",
      "from the path being back to the next byte",
      "p99 <= 250 ms",
      `${spread.text}, ${loadNow()}`,
      spread.p99 <= 250,
    ),
  ];
  const storm = { answers: 0, refused: 0, resumed: 0 };
  // Long answers: while the tunnel is down new calls are refused, and the storm is for those that
  // are open.
  await using load = await Streams.open(setting, streams, Math.max(tokens, stormMs / TOKEN_MS));
  for (
    const endMs = performance.now() + stormMs;
    performance.now() < endMs;
    await sleep(STORM_EVERY_MS)
  )
    load.chain.proxy.cut();
  // On a busy machine, every answer may have ended between two cuts of the storm.
  await load.cut();
  const broken = await load.end(storm);
  return [
    ...findings,
    promise(
      "R7",
      `a cut every ${STORM_EVERY_MS} ms for ${stormMs / 1_000} s, ${streams} streams`,
      "every byte right",
      saidOfStreams(storm),
      broken,
    ),
  ];
}

type Got = { answers: number; refused: number; resumed: number };

const saidOfStreams = ({ answers, refused, resumed }: Got): string =>
  `${answers} whole answers; ${refused} calls refused meanwhile; ${resumed} records of resumed streams`;

/** Keeps a constant number of streams of every shape open. */
class Streams implements AsyncDisposable {
  readonly chain: Chain;
  readonly #random: Setting["random"];
  readonly #streams: number;
  readonly #load: Promise<void>;
  #isOver = false;
  readonly #problems: string[] = [];

  private constructor(chain: Chain, random: Setting["random"], streams: number, tokens: number) {
    this.chain = chain;
    this.#random = random;
    this.#streams = streams;
    const next = () => ({
      shape: anyShape(random),
      tokens: between(random, Math.ceil(tokens / 5), tokens),
      tokenMs: TOKEN_MS,
    });
    this.#load = chain.callers.load(streams, next, () => this.#isOver);
  }

  static async open({ stage, random }: Setting, streams: number, tokens: number): Promise<Streams> {
    const chain = await stage.chain();
    const opened = new Streams(chain, random, streams, tokens);
    await opened.#begun();
    return opened;
  }

  /** Waits until all streams are open and answers arrive. */
  async #begun(): Promise<void> {
    const { callers } = this.chain;
    await until(() => callers.open.size === this.#streams, "all streams are open");
    await Promise.all(streamed(callers.open).map((call) => call.nextByte(HANG_MS)));
  }

  /** @returns the time in ms that each stream waited for its next byte after the path was back */
  async cut(): Promise<number[]> {
    const { proxy } = this.chain;
    const random = this.#random;
    await this.#begun();
    await cutOnce(
      this.chain,
      between(random, 0, 1) === 0
        ? ["up", between(random, 1, 40_000)]
        : ["down", between(random, 1, 400)],
    );
    // A pause, so that everything in transit has arrived and the next byte was sent after the cut.
    const awayMs = random() < 0.3 ? 0 : between(random, 60, 250);
    if (awayMs > 0) await sleep(awayMs);
    proxy.isOpen = true;
    const openMs = performance.now();
    const waits = await Promise.all(
      streamed(this.chain.callers.open).map(async (call) => ({
        call,
        atMs: await call.nextByte(HANG_MS),
      })),
    );
    for (const { call, atMs } of waits)
      if (atMs === null)
        this.#problems.push(`${call.callPlan.key} received nothing for ${HANG_MS} ms`);
    return awayMs === 0 ? [] : waits.flatMap(({ atMs }) => (atMs === null ? [] : [atMs - openMs]));
  }

  /** Lets the answers end and compares the ledgers. @returns the problems */
  async end(got: Got): Promise<string[]> {
    const { chain } = this;
    this.#isOver = true;
    await this.#load;
    await chain.endWaiting();
    const accounts = await chain.accounts();
    const resumed = (await chain.rows()).filter((row) => row.resumed > 0).length;
    // Calls that start while the tunnel is down are refused and may retry. Only open streams must
    // continue.
    const failed = chain.callers.entries.filter(
      ({ outcome }) => outcome !== "whole" && outcome !== "refused",
    );
    got.answers += chain.callers.count("whole");
    got.refused += chain.callers.count("refused");
    got.resumed += resumed;
    return [
      ...this.#problems,
      ...failed.map(
        ({ callPlan, outcome, why }) => `${callPlan.key} ended ${outcome}: ${why.slice(0, 200)}`,
      ),
      ...(resumed === 0 ? ["no record counts a resume"] : []),
      ...accounts.problems,
    ];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.chain[Symbol.asyncDispose]();
  }
}

/** Cuts at a byte, or soon if none arrives. The path stays closed. */
async function cutOnce(
  { proxy }: Chain,
  [direction, bytes]: ["up" | "down", number],
): Promise<void> {
  await Promise.race([proxy.cutAfter(direction, bytes), sleep(CUT_LATEST_MS)]);
  proxy.isOpen = false;
  proxy.cut();
}
