/**
 * Two boxes have the same model, and the Ollama of one is killed again and again under load: a call whose
 * answer had not begun never fails, because it moves to the other box.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { summaryOf } from "./accounts.ts";
import { type Finding, measured, promise } from "./figures.ts";
import { anyCall, between, type Setting } from "./suite.ts";
import { loadNow } from "./waiting.ts";

export type TwinPlan = {
  kills: number;
  /** No kills start after this time. The finding contains the number of kills that were reached. */
  limitMs: number;
};

const CALLERS = 12;
const PAUSE_MS = 60;

export async function twin(
  { stage, random, print }: Setting,
  { kills, limitMs }: TwinPlan,
): Promise<Finding[]> {
  await using chain = await stage.chain({ hasTwin: true });
  const { callers } = chain;
  await chain.untilServing(2);
  let isOver = false;
  const load = callers.load(CALLERS, anyCall(random, 30, 10), () => isOver, PAUSE_MS);
  const startMs = performance.now();
  let done = 0;
  for (; done < kills && performance.now() - startMs < limitMs; done++) {
    await sleep(between(random, 10, 400));
    const part = random() < 0.5 ? "ollama" : "twin-ollama";
    await chain.kill(part);
    await sleep(between(random, 0, 300));
    await chain.start(part);
    // A call is on each box once. Calls that found this one dead may not lose the other too.
    await Promise.all([...callers.open].map(({ begun }) => begun));
    if (done % 100 === 99) print(`${done + 1} kills, ${callers.entries.length} calls`);
  }
  const seconds = Math.round((performance.now() - startMs) / 1_000);
  isOver = true;
  await load;
  await chain.endWaiting();
  const accounts = await chain.accounts();
  const unstarted = callers.entries.filter(
    ({ outcome }) => outcome === "refused" || outcome === "unanswered",
  );
  const rows = await chain.rows();
  const moved = rows.filter(({ moved_from }) => moved_from !== null).length;
  const goal = done < kills ? `none (${done} of ${kills} kills fitted into the time)` : "none";
  const torn = callers.count("errored") + callers.count("broken");
  return [
    promise(
      "R4",
      `calls that fail unstarted: ${done} SIGKILLs of Ollama beside a twin, ${seconds} s, ${loadNow()}`,
      goal,
      `${unstarted.length} of ${callers.entries.length}`,
      unstarted.map(({ callPlan, why }) => `${callPlan.key} (${callPlan.shape}): ${why}`),
    ),
    promise("R4", "records beside a twin", "ledgers equal", summaryOf(accounts), [
      ...callers.wrongs,
      ...accounts.problems,
    ]),
    measured("R4", "calls that moved; answers that broke off", "", `${moved}; ${torn}`, moved > 0),
  ];
}
