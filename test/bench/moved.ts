/**
 * P23: the first byte of a call that moved, because its first box answered with an error, over that of a call that
 * the first box served. One caller, in the same run, so the calls that moved meet the same machine.
 */
import { bodyOf, SHORT_TOKENS } from "./answers.ts";
import { type Figure, median, overRounds, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const ROUNDS = 5;
const CALLS = 200;
const FAILING = 0.3;
/** Longest time until a Worker knows both boxes. */
const KNOWN_MS = 60_000;
const BODY = bodyOf({ tokens: SHORT_TOKENS, tokenMs: 0, stream: false });

type Times = { warm: number[]; moved: number[] };

export async function measureMoved(stage: Stage): Promise<Figure[]> {
  const chain = await stage.startPair("pair", FAILING);
  await untilMoved(chain);
  const rounds: Times[] = [];
  for (let index = 0; index < ROUNDS; index++) rounds.push(await timesOf(chain));
  await chain.check();
  await chain.stop();
  const middle = (side: keyof Times) => round(median(rounds.map((times) => median(times[side]))));
  return [
    {
      id: "P23",
      name: "first byte p50 of a call that moved to the other box / of one that did not, 1 caller",
      ...overRounds(rounds.map(({ warm, moved }) => median(moved) / median(warm))),
      unit: "x",
      goal_now: null,
      goal: null,
      detail: { warm_ms: middle("warm"), moved_ms: middle("moved") },
    },
  ];
}

/** Calls until one moves: the Worker learns of the second box beside calls. */
async function untilMoved(chain: Chain): Promise<void> {
  const deadline = performance.now() + KNOWN_MS;
  while ((await timesOf(chain)).moved.length === 0)
    if (performance.now() > deadline) throw new Error("no call moves to the other box");
}

/** Returns the ms until the answer of each call that succeeded: both boxes may have failed one. */
async function timesOf(chain: Chain): Promise<Times> {
  const times: Times = { warm: [], moved: [] };
  for (let call = 0; call < CALLS; call++) {
    const startMs = performance.now();
    const answer = await fetch(`http://127.0.0.1:${chain.port}${chain.path}`, {
      method: "POST",
      body: BODY,
    });
    await answer.arrayBuffer();
    chain.calls++;
    const isMoved = answer.headers.get("x-route-reason") === "failover";
    if (answer.status === 200) times[isMoved ? "moved" : "warm"].push(performance.now() - startMs);
  }
  return times;
}
