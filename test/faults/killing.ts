/** Parts are killed under load at random moments, and the callers' ledger must equal the edge's. */
import { setTimeout as sleep } from "node:timers/promises";
import { summaryOf } from "./accounts.ts";
import type { Chain, Part } from "./chain.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { anyCall, between, type Random, type Setting } from "./suite.ts";
import { loadNow, until } from "./waiting.ts";

export type KillPlan = {
  /** The id in the table of goals. */
  id: string;
  /** Each kill is one of these: parts that die within {@link APART_MS_MAX} of each other. */
  parts: readonly (readonly Part[])[];
  kills: number;
  /** No kills start after this time. The finding contains the number of kills that were reached. */
  limitMs: number;
};

/**
 * Time after which the agent is replaced. An agent whose tunnel never stayed up for five seconds
 * within half a minute reconnects only every few seconds, so hardly any call would be open at a
 * kill. A new agent has no such history.
 */
const KILLS_PER_AGENT = 60;

const CALLERS = 16;
/** The time in which calls leave a box that has died. */
const APART_MS_MAX = 40;
/** Records must stay below the ledger's limit (100,000), or the ledgers could not be compared. */
const PAUSE_MS = 60;

export async function killing(
  { stage, random, print }: Setting,
  { id, parts, kills, limitMs }: KillPlan,
): Promise<Finding[]> {
  const hasTwin = parts.flat().some((part) => part.startsWith("twin-"));
  await using chain = await stage.chain({ hasTwin });
  const { callers } = chain;
  let isOver = false;
  const load = callers.load(CALLERS, anyCall(random, 30, 10), () => isOver, PAUSE_MS);
  const startMs = performance.now();
  const restartMs: number[] = [];
  let done = 0;
  for (; done < kills && performance.now() - startMs < limitMs; done++) {
    // Otherwise a slow machine is killed before its agents are back, and no call is there to move.
    if (hasTwin) await untilAnswered(chain);
    await sleep(momentMs(random));
    const killed = parts[between(random, 0, parts.length - 1)] ?? [];
    for (const [index, part] of killed.entries()) {
      if (index > 0) await sleep(between(random, 0, APART_MS_MAX));
      await chain.kill(part);
    }
    for (const part of killed) {
      const startedMs = performance.now();
      await chain.start(part);
      if (part === "workerd") restartMs.push(performance.now() - startedMs);
    }
    if (done % KILLS_PER_AGENT === KILLS_PER_AGENT - 1) await chain.endWaiting();
    if (done % 100 === 99) print(`${done + 1} kills, ${callers.entries.length} calls`);
  }
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  isOver = true;
  await load;
  await chain.endWaiting();
  const accounts = await chain.accounts();
  const moved = (await chain.rows()).filter(({ moved_from }) => moved_from !== null).length;
  const of = parts.map((killed) => killed.join(" and then ")).join("; ");
  const goal =
    done < kills
      ? `ledgers equal (${done} of ${kills} planned kills fitted into the time)`
      : "ledgers equal";
  return [
    promise(
      id,
      `${done} SIGKILLs of ${of} under load, ${seconds} s, ${loadNow()}`,
      goal,
      summaryOf(accounts),
      [...callers.wrongs, ...accounts.problems],
    ),
    ...(hasTwin
      ? [measured(id, "calls that moved, and were recorded", "", String(moved), moved > 0)]
      : []),
    ...(id === "R1"
      ? [
          measured(
            id,
            "workerd listens again after a SIGKILL",
            "",
            `${spreadOf(restartMs).text}, ${loadNow()}`,
            true,
          ),
        ]
      : []),
  ];
}

/** Waits until both boxes serve, and a call was answered since the last kill. */
async function untilAnswered(chain: Chain): Promise<void> {
  const { entries } = chain.callers;
  const before = entries.length;
  const isAnswered = () => entries.slice(before).some(({ outcome }) => outcome === "whole");
  await chain.untilServing(2);
  await until(isAnswered, "a call is answered");
}

/** Half of the kills come while everything is still starting, half while it runs. */
const momentMs = (random: Random): number =>
  random() < 0.5 ? between(random, 10, 250) : between(random, 250, 800);
