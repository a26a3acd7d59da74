/**
 * P21 and P22: a ledger of 100,000 requests. How long a page of its list takes, and how much later the first byte of
 * a call is while somebody searches all texts for a rare word.
 */
import { randomUUID } from "node:crypto";
import { RecordSender } from "../support/record-sender.ts";
import { idOf, recordOf } from "../support/records.ts";
import { eventually } from "../support/stack.ts";
import { SHORT_TOKENS } from "./answers.ts";
import { type Figure, inTurns, median, overRounds, quantile, round } from "./figures.ts";
import type { Chain, Stage } from "./stage.ts";

const RECORDS = 100_000;
const RECORDS_PER_BATCH = 200;
/** Batches that are sent and not acknowledged. */
const BATCHES_AHEAD = 4;
const SPACED_MS = 1_000;
/** 1.9 kB of texts, as a question and its answer have. */
const PROMPT = "Why is the sky blue, and why is it red in the evening? ".repeat(10);
const RESPONSE = "Light of a short wavelength is scattered more than light of a long one. ".repeat(
  19,
);
const RARE = "zyzzyva";

const ROUNDS = 5;
const CALLS = 200;
const PAGES = 20;

export async function measureReads(stage: Stage): Promise<Figure[]> {
  const chain = await stage.startChain("reads");
  await fill(chain);
  const firstPageMs = await timeOf(() => read(chain, "limit=50"));
  const pageMs: number[] = [];
  const searchMs: number[] = [];
  const firstMs: Record<"alone" | "beside", number[][]> = { alone: [], beside: [] };
  const callsMs = async () =>
    (
      await stage.run(chain, {
        tokens: SHORT_TOKENS,
        tokenMs: 0,
        stream: false,
        callers: 1,
        until: { calls: CALLS },
      })
    ).firstMs;
  await callsMs();
  await inTurns(ROUNDS, {
    page: async () => {
      const times: number[] = [];
      for (let index = 0; index < PAGES; index++)
        times.push(await timeOf(() => read(chain, "limit=50")));
      pageMs.push(median(times));
    },
    alone: async () => void firstMs.alone.push(await callsMs()),
    beside: async () => {
      let isOver = false;
      const searching = (async () => {
        while (!isOver) searchMs.push(await timeOf(() => read(chain, `limit=50&q=${RARE}`)));
      })();
      firstMs.beside.push(await callsMs());
      isOver = true;
      await searching;
    },
  });
  await chain.check();
  await chain.stop();
  const over = (side: "alone" | "beside", q: number) =>
    round(median(firstMs[side].map((times) => quantile(times, q))));
  return [
    {
      id: "P21",
      name: `page of 50 logs of ${RECORDS.toLocaleString("en")}, with the total`,
      ...overRounds(pageMs),
      unit: "ms",
      goal_now: { atMost: 5 },
      goal: { atMost: 2 },
      detail: { first_ms: round(firstPageMs) },
    },
    {
      id: "P22",
      name: "first byte p50 of a call beside a search for a rare word / without it, 1 caller",
      ...overRounds(
        firstMs.beside.map((times, index) => median(times) / median(firstMs.alone[index] ?? [])),
      ),
      unit: "x",
      goal_now: { atMost: 1.2 },
      goal: { atMost: 1.05 },
      detail: {
        alone_ms: over("alone", 0.5),
        alone_p99_ms: over("alone", 0.99),
        beside_ms: over("beside", 0.5),
        beside_p99_ms: over("beside", 0.99),
        search_ms: round(median(searchMs)),
      },
    },
  ];
}

/** Fills the ledger with requests of the last day. One of them has the rare word. */
async function fill(chain: Chain): Promise<void> {
  const startedMs = Date.now() - RECORDS * SPACED_MS;
  const box = "filler";
  const batches = RECORDS / RECORDS_PER_BATCH;
  let recorded = 0;
  const sender = await RecordSender.connect(
    { port: chain.port, box, agentId: randomUUID() },
    () => recorded++,
  );
  const record = (n: number) =>
    recordOf(startedMs + n * SPACED_MS, {
      box,
      request_id: idOf(startedMs + n * SPACED_MS, n),
      prompt: PROMPT,
      response: n === RECORDS / 2 ? `${RESPONSE}${RARE}` : RESPONSE,
    });
  for (let batch = 0; batch < batches; batch++) {
    await eventually(async () => batch - recorded < BATCHES_AHEAD);
    const first = batch * RECORDS_PER_BATCH;
    sender.send(
      batch + 1,
      Array.from({ length: RECORDS_PER_BATCH }, (_, n) => record(first + n)),
    );
  }
  await eventually(async () => recorded === batches);
  sender.close();
  chain.calls += RECORDS;
}

async function read({ port, headers }: Chain, query: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/stats/logs?${query}`, { headers });
  if (!answer.ok) throw new Error(`the logs could not be read: ${answer.status}`);
  await answer.arrayBuffer();
}

async function timeOf(run: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}
