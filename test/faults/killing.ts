/** Parts are killed under load, at any moment; the callers' ledger equals ours. */
import { setTimeout as sleep } from "node:timers/promises";
import { saidOf } from "./accounts.ts";
import { type Finding, measured, promise, spreadOf } from "./figures.ts";
import { loadNow, type Part } from "./stage.ts";
import { anyCall, between, type Random, type Setting } from "./suite.ts";

export type KillPlan = {
  /** Of the table in the goals. */
  id: string;
  parts: readonly Part[];
  kills: number;
  /** No more kills after this, whatever was planned: the number that was reached is told. */
  limitMs: number;
};

/**
 * An agent whose tunnel has held for five seconds in no half minute dials only every few seconds, and then
 * hardly a call would be under way at a kill: a new one does not know of that.
 */
const KILLS_PER_AGENT = 60;

const CALLERS = 16;
/** Rows must stay below what the ledger keeps (100,000), or they could not be compared. */
const PAUSE_MS = 60;

export async function killing(
  { stage, random, say }: Setting,
  { id, parts, kills, limitMs }: KillPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain();
  const { callers } = chain;
  let isOver = false;
  const load = callers.load(CALLERS, anyCall(random, 30, 10), () => isOver, PAUSE_MS);
  const startMs = performance.now();
  const restartMs: number[] = [];
  let done = 0;
  for (; done < kills && performance.now() - startMs < limitMs; done++) {
    await sleep(momentMs(random));
    const part = parts[between(random, 0, parts.length - 1)] ?? "workerd";
    await chain.kill(part);
    const killedMs = performance.now();
    await chain.start(part);
    if (part === "workerd") restartMs.push(performance.now() - killedMs);
    if (done % KILLS_PER_AGENT === KILLS_PER_AGENT - 1) await chain.endWaiting();
    if (done % 100 === 99) say(`${done + 1} kills, ${callers.entries.length} calls`);
  }
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  isOver = true;
  await load;
  await chain.endWaiting();
  const accounts = await chain.accounts();
  const of = parts.length === 1 ? parts[0] : "agent, workerd and Ollama, mixed";
  const goal =
    done < kills
      ? `ledgers equal (of ${kills} kills planned, ${done} fit the time)`
      : "ledgers equal";
  return [
    promise(
      id,
      `${done} SIGKILLs of ${of} under load, ${seconds} s, ${loadNow()}`,
      goal,
      saidOf(accounts),
      [...callers.wrongs, ...accounts.problems],
    ),
    ...(id === "R1"
      ? [
          measured(
            id,
            "workerd listens again after a SIGKILL",
            "",
            `${spreadOf(restartMs).said}, ${loadNow()}`,
            true,
          ),
        ]
      : []),
  ];
}

/** Half of the kills fall while everything is still coming up, half while it runs. */
const momentMs = (random: Random): number =>
  random() < 0.5 ? between(random, 10, 250) : between(random, 250, 800);
