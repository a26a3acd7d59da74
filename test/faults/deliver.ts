/**
 * Records are delivered twice, out of order, and around a kill between the ledger's commit and its
 * acknowledgement.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestRecord } from "../../protocol/records.ts";
import { RecordSender } from "../support/record-sender.ts";
import { idOf, recordOf } from "../support/records.ts";
import { summaryOf } from "./accounts.ts";
import { type Finding, promise } from "./figures.ts";
import { between, type Random, type Setting } from "./suite.ts";
import { until } from "./waiting.ts";

export type DeliverPlan = { batches: number; kills: number; unconfirmed: number };

const RECORDS_PER_BATCH = 20;

export async function deliver(
  setting: Setting,
  { batches, kills, unconfirmed }: DeliverPlan,
): Promise<Finding[]> {
  return [await replayed(setting, batches, kills), await acknowledgementLost(setting, unconfirmed)];
}

/** An agent that sends each batch several times in any order while the Worker is killed. */
async function replayed(
  { stage, random, print }: Setting,
  batches: number,
  kills: number,
): Promise<Finding> {
  await using chain = await stage.chain();
  const startedMs = Date.now() - 60_000;
  const waiting = new Map<number, RequestRecord[]>();
  for (let position = 1; position <= batches; position++) {
    const record = (n: number) =>
      recordOf(startedMs + position, {
        box: "replayer",
        request_id: idOf(startedMs + position, n),
      });
    waiting.set(
      position,
      Array.from({ length: RECORDS_PER_BATCH }, (_, n) => record(n)),
    );
  }
  const agentId = randomUUID();
  let [sent, killed] = [0, 0];
  const perLife = Math.max(1, Math.ceil(batches / Math.max(1, kills)));
  while (waiting.size > 0) {
    const { port } = chain;
    const replayer = await RecordSender.connect({ port, box: "replayer", agentId }, (position) =>
      waiting.delete(position),
    );
    // Batches of this life, each sent up to three times and shuffled. The Worker dies somewhere
    // between the first and the last answer.
    const some = [...waiting.keys()]
      .slice(0, perLife)
      .flatMap((position) => Array.from({ length: between(random, 1, 3) }, () => position));
    for (const position of shuffled(some, random)) {
      replayer.send(position, waiting.get(position) ?? []);
      sent++;
    }
    if (killed < kills) {
      await sleep(random() * 15);
      await chain.restart("workerd");
      killed++;
    } else
      await until(
        () => some.every((position) => !waiting.has(position)),
        "every batch is acknowledged",
      );
    replayer.close();
    if (killed % 50 === 0) print(`${killed} kills, ${waiting.size} batches left`);
  }
  const rows = (await chain.rows()).filter(({ box }) => box === "replayer");
  const counted = (await chain.stats()).total_requests;
  const expected = batches * RECORDS_PER_BATCH;
  const problems = [];
  if (rows.length !== expected)
    problems.push(`${rows.length} records in the ledger, expected ${expected}`);
  if (counted !== expected) problems.push(`${counted} records counted, expected ${expected}`);
  return promise(
    "R3",
    `${batches} batches of records sent ${sent} times out of order, ${killed} SIGKILLs of workerd around their acknowledgement`,
    "each counts once",
    `${rows.length} records, expected ${expected}`,
    problems,
  );
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  return values
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/**
 * The ledger has the record, and the agent is killed before it receives the acknowledgement, so it
 * delivers the record again.
 */
async function acknowledgementLost({ stage }: Setting, times: number): Promise<Finding> {
  await using chain = await stage.chain();
  const { callers, proxy } = chain;
  let unacknowledged = 0;
  // On a busy machine the moment may be missed each time, and then comes again.
  const timesMax = 5 * times;
  for (let time = 0; time < (unacknowledged === 0 ? timesMax : times); time++) {
    const before = (await chain.stats()).total_requests;
    await callers.call("ndjson", 3, 0).ended;
    // The last byte is acknowledged, and the record leaves 50 ms later. Its acknowledgement is
    // dropped.
    await sleep(10 + 10 * (time % 4));
    proxy.swallow("down");
    await until(
      async () => (await chain.stats()).total_requests > before,
      "the record is counted",
      4_000,
    ).then(
      () => unacknowledged++,
      () => {},
    );
    await chain.kill("agent");
    proxy.cut();
    await chain.start("agent");
    await chain.untilServing();
  }
  const accounts = await chain.accounts();
  const problems =
    unacknowledged === 0 ? ["no acknowledgement was lost, so the suite tested nothing"] : [];
  return promise(
    "R3",
    `the agent killed ${times} times before its record is acknowledged`,
    "each counts once",
    `${unacknowledged} of them after the commit; ${summaryOf(accounts)}`,
    [...problems, ...accounts.problems],
  );
}
