/** The agent's clock is wrong, and it is corrected or changed in the middle of a call. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Live } from "../../protocol/api/live.ts";
import { History } from "../../protocol/api/stats.ts";
import { freePort } from "../support/stack.ts";
import { SHAPES } from "./answers.ts";
import type { Chain } from "./chain.ts";
import { type FakeClock, libraryClock, type Off, preloadedClock } from "./fake-clocks.ts";
import { type Finding, notRun, promise } from "./figures.ts";
import type { Setting } from "./suite.ts";
import { until } from "./waiting.ts";

/** With `everyWay`, every available fake clock is used; otherwise only the best one. */
export type ClockPlan = { everyWay: boolean };

const HOUR_MS = 3_600_000;
const NINETY_DAYS_MS = 90 * 24 * HOUR_MS;
const OFF: readonly [description: string, Off][] = [
  ["off by -1 h, then set right in mid-stream", { firstMs: -HOUR_MS, thenMs: 0 }],
  ["off by +90 days, then set right in mid-stream", { firstMs: NINETY_DAYS_MS, thenMs: 0 }],
  ["right, then set +90 days ahead in mid-stream", { firstMs: 0, thenMs: NINETY_DAYS_MS }],
];

const TOKENS = 20;
const TOKEN_MS = 20;
/** Limits of the latency of a call with this many tokens on a busy machine. */
const LATENCY_MS = { least: (TOKENS - 1) * TOKEN_MS, most: 10_000 };
const SKEW_SLACK_MS = 2_000;
const STAMP_SLACK_MS = 10_000;
/** Health reports a clock that is off by more than this. */
const SKEW_TOLD_MS = 30_000;

export async function clock(setting: Setting, { everyWay }: ClockPlan): Promise<Finding[]> {
  const library = libraryClock();
  const clocks =
    library === null ? [preloadedClock] : everyWay ? [preloadedClock, library] : [library];
  const findings: Finding[] = [];
  for (const fake of clocks)
    for (const [description, off] of OFF)
      findings.push(await withClock(setting, fake, description, off));
  if (library === null)
    findings.push(
      notRun(
        "R15",
        "the same by libfaketime",
        "libfaketime is not installed (Debian: apt-get install faketime)",
      ),
    );
  return findings;
}

async function withClock(
  { stage }: Setting,
  fake: FakeClock,
  description: string,
  off: Off,
): Promise<Finding> {
  const listenPort = await freePort();
  const folder = join(stage.folder, `clock-${listenPort}`);
  mkdirSync(folder);
  await using chain = await stage.chain({
    agentArgs: ["--listen", String(listenPort)],
    agentEnv: fake.begin(off, folder),
  });
  const problems: string[] = [];
  const firstCallMs = Date.now();
  const shown = [await skewShown(chain, off.firstMs, problems)];
  await calls(chain, listenPort, () => fake.set(chain.part("agent"), off, folder));
  shown.push(await skewShown(chain, off.thenMs, problems));
  await killedCalls(chain);
  problems.push(...(await recordProblems(chain, firstCallMs)));
  const got = `${(await chain.stats()).total_requests} records, ${problems.length} problems; shown: ${shown.join(", then ")}`;
  return promise(
    "R15",
    `the agent's clock (${fake.by}) ${description}`,
    "durations and timestamps right, skew shown",
    got,
    problems,
  );
}

/** Checks that the page's data and health both report how far the clock is off. */
async function skewShown(chain: Chain, offMs: number, problems: string[]): Promise<string> {
  const live = async () => Live.parse(await (await fetch(`${chain.url}/api/live`)).json());
  const skewOf = ({ boxes: [box] }: Live) => box?.clock_skew_ms ?? Number.NaN;
  const isShown = async () => Math.abs(skewOf(await live()) - offMs) < SKEW_SLACK_MS;
  await until(isShown, "the skew is shown").catch((error: Error) => problems.push(error.message));
  const shown = await live();
  const { length: concerns } = shown.health.concerns.filter(({ code }) => code === "clock_skew");
  if (concerns !== (Math.abs(offMs) > SKEW_TOLD_MS ? 1 : 0))
    problems.push(`a clock that is off by ${offMs} ms raises ${concerns} concerns`);
  return `${Math.round(skewOf(shown) / 1_000)} s${concerns > 0 ? " and a concern" : ""}`;
}

/** Makes calls before, during and after the change of the clock. */
async function calls({ callers }: Chain, listenPort: number, setClock: () => void): Promise<void> {
  await Promise.all(SHAPES.map((shape) => callers.call(shape, TOKENS, TOKEN_MS).ended));
  await fetch(`http://127.0.0.1:${listenPort}/api/version`, {
    headers: { "user-agent": "local" },
  }).then((answer) => answer.text());
  const open = SHAPES.map((shape) => callers.call(shape, TOKENS, TOKEN_MS));
  await Promise.all(open.map((call) => call.nextByte(5_000)));
  setClock();
  await Promise.all(open.map(({ ended }) => ended));
}

/**
 * Kills the agent in the middle of calls. It reads by the same clock, or by another one, what it
 * wrote.
 */
async function killedCalls(chain: Chain): Promise<void> {
  const killed = SHAPES.map((shape) => chain.callers.call(shape, 1_000, TOKEN_MS));
  await Promise.all(killed.map((call) => call.nextByte(5_000)));
  await sleep(300);
  await chain.restart("agent");
  await Promise.all(killed.map(({ ended }) => ended));
}

async function recordProblems(chain: Chain, firstCallMs: number): Promise<string[]> {
  const problems: string[] = [];
  const expected = 3 * SHAPES.length + 1;
  await until(async () => (await chain.rows()).length >= expected, `${expected} records`);
  const rows = await chain.rows();
  if (rows.length !== expected) problems.push(`${rows.length} records of ${expected} calls`);
  for (const row of rows) {
    const about = `${row.user_agent} (${row.status})`;
    const stampMs = Date.parse(row.timestamp);
    if (stampMs < firstCallMs - STAMP_SLACK_MS || stampMs > Date.now() + STAMP_SLACK_MS)
      problems.push(`${about} has the timestamp ${row.timestamp}, which is not during the test`);
    const leastMs =
      row.status === "success" && row.endpoint !== "/api/version" ? LATENCY_MS.least : 0;
    if (row.latency_ms < leastMs || row.latency_ms > LATENCY_MS.most)
      problems.push(`${about} took ${row.latency_ms} ms`);
  }
  const { metrics } = History.parse(
    await (await fetch(`${chain.url}/api/stats/history?time_range=1h&granularity=1m`)).json(),
  );
  if (metrics.length === 0) problems.push("the history of the last hour is empty");
  return problems;
}
