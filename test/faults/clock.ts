/** The agent's clock is wrong, and is set right in the middle of a call. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../local/edge.ts";
import { freePort } from "../support/stack.ts";
import { SHAPES } from "./answers.ts";
import { streamed } from "./callers.ts";
import { type Finding, promise } from "./figures.ts";
import { type Chain, until } from "./stage.ts";
import type { Setting } from "./suite.ts";

const HOUR_MS = 3_600_000;
const OFF = [
  ["-1 h", -HOUR_MS],
  ["+90 days", 90 * 24 * HOUR_MS],
] as const;

const TOKENS = 20;
const TOKEN_MS = 20;
/** What a call of so many tokens may take on a busy machine, and what it takes at least. */
const LATENCY_MS = { least: (TOKENS - 1) * TOKEN_MS, most: 10_000 };
const SKEW_SLACK_MS = 2_000;
const STAMP_SLACK_MS = 10_000;

export async function clock({ stage }: Setting): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [said, offMs] of OFF) {
    const listenPort = await freePort();
    await using chain = await stage.chain({
      agentArgs: ["--listen", String(listenPort)],
      agentEnv: {
        NODE_OPTIONS: `--import ${pathToFileURL(join(ROOT, "test/faults/wrong-clock.ts")).href}`,
        WRONG_CLOCK_MS: String(offMs),
      },
    });
    const problems = await withClock(chain, listenPort, offMs);
    const got = `${(await chain.stats()).total_requests} records, ${problems.length} wrong`;
    findings.push(
      promise(
        "R15",
        `the agent's clock off by ${said}, then set right in mid-stream`,
        "durations and stamps right, skew shown",
        got,
        problems,
      ),
    );
  }
  return findings;
}

async function withClock(chain: Chain, listenPort: number, offMs: number): Promise<string[]> {
  const { callers } = chain;
  const problems: string[] = [];
  const [{ clock_skew_ms: skewMs } = { clock_skew_ms: Number.NaN }] = await chain.boxes();
  if (!(Math.abs(skewMs - offMs) < SKEW_SLACK_MS)) problems.push(`the skew is shown as ${skewMs} ms`);
  await Promise.all(SHAPES.map((shape) => callers.ask(shape, TOKENS, TOKEN_MS).ended));
  await fetch(`http://127.0.0.1:${listenPort}/api/version`, { headers: { "user-agent": "local" } }).then((answer) => answer.text());

  // The clock is set right while calls are open; then the agent is killed in the middle of others.
  const open = SHAPES.map((shape) => callers.ask(shape, TOKENS, TOKEN_MS));
  await Promise.all(streamed(open).map((call) => call.nextByte(5_000)));
  chain.part("agent").signal("SIGUSR2");
  await Promise.all(open.map(({ ended }) => ended));
  const killed = SHAPES.map((shape) => callers.ask(shape, 1_000, TOKEN_MS));
  await Promise.all(streamed(killed).map((call) => call.nextByte(5_000)));
  await sleep(300);
  await chain.restart("agent");
  await Promise.all(killed.map(({ ended }) => ended));

  const expected = 3 * SHAPES.length + 1;
  await until(async () => (await chain.rows()).length >= expected, `${expected} records`);
  const rows = await chain.rows();
  if (rows.length !== expected) problems.push(`${rows.length} records of ${expected} calls`);
  for (const row of rows) {
    const about = `${row.user_agent} (${row.status})`;
    const offStampMs = Date.parse(row.timestamp) - Date.now();
    if (Math.abs(offStampMs) > STAMP_SLACK_MS) problems.push(`${about} is stamped ${Math.round(offStampMs / 1_000)} s from now`);
    const leastMs = row.status === "success" && row.endpoint !== "/api/version" ? LATENCY_MS.least : 0;
    if (row.latency_ms < leastMs || row.latency_ms > LATENCY_MS.most) problems.push(`${about} took ${row.latency_ms} ms`);
  }
  const history = await (await fetch(`${chain.url}/api/stats/history?time_range=1h&granularity=1m`)).json();
  const counted = (history as { metrics: { total_requests?: number; requests?: number }[] }).metrics;
  if (counted.length === 0) problems.push("the history of the last hour is empty");
  return problems;
}
