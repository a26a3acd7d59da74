/**
 * `npm run bench:stores [rows]`: the cost of a million finished requests in the external stores:
 * time to insert them in the edge's batches, and to read them as the API does.
 *
 * The engines are real but run on this machine, over loopback and without durability. The figures
 * compare stores and queries with each other and over time, not with a cloud.
 */
import { randomUUID } from "node:crypto";
import { ClickHouseStore } from "../../worker/export/clickhouse/clickhouse.ts";
import { PostgresStore } from "../../worker/export/postgres/postgres.ts";
import { requestRow } from "../../worker/export/rows.ts";
import { storeSettingsOf } from "../../worker/export/settings.ts";
import { RunningEngines } from "../support/engines/engines.ts";
import { recordOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";

const ROWS = Number(process.argv[2] ?? 1_000_000);
const BATCH_ROWS = 5_000;
const DAY_MS = 86_400_000;
const MODELS = ["llama3.2", "qwen3:8b", "gpt-oss:20b", "mistral"];

/** Spread over thirty days, oldest first. */
function batchOf(first: number, nowMs: number, random: () => number) {
  const rows = Array.from({ length: Math.min(BATCH_ROWS, ROWS - first) }, (_, index) => {
    const n = first + index;
    const startedMs = Math.floor(nowMs - 30 * DAY_MS * (1 - n / ROWS));
    const latency_ms = Math.round(Math.exp(random() * 9));
    const status = random() < 0.02 ? "error" : "success";
    const text = `${random().toString(36)} `.repeat(20);
    const record = recordOf(
      startedMs,
      {
        model: MODELS[n % 4] ?? null,
        box: `box-${n % 3}`,
        latency_ms,
        status,
        prompt: text,
        response: text,
      },
      n,
    );
    return requestRow(record, startedMs + latency_ms);
  });
  return { id: randomUUID(), kind: "requests" as const, rows };
}

async function timed(name: string, work: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  console.log(`  ${name.padEnd(44)} ${String(Math.round(times[2] ?? 0)).padStart(6)} ms`);
}

await using engines = new RunningEngines();
const { settings } = await engines.start();
const { clickhouse, postgres } = storeSettingsOf(settings).configured;
if (clickhouse === null || postgres === null) throw new Error("Both stores must be configured.");
const nowMs = Date.now();
const hour = Math.floor(nowMs / 3_600_000) * 3_600;
const daysOf = (days: number, granularity: number) => {
  const buckets = (days * 86_400) / granularity;
  return { from: hour + 3_600 - buckets * granularity, granularity, buckets };
};

for (const store of [new ClickHouseStore(clickhouse), new PostgresStore(postgres)]) {
  await store.migrate();
  const random = seeded(1);
  let insertMs = 0;
  for (let first = 0; first < ROWS; first += BATCH_ROWS) {
    const batch = batchOf(first, nowMs, random);
    const began = performance.now();
    await store.insert(batch);
    insertMs += performance.now() - began;
  }
  console.log(
    `${store.name}: ${ROWS} rows in ${(insertMs / 1_000).toFixed(1)} s, ${Math.round(ROWS / (insertMs / 1_000))} rows/s`,
  );
  const all = { clearedMs: null };
  const first = await store.logs({ limit: 100, ...all });
  if (first.total !== ROWS) throw new Error(`${store.name} has ${first.total} rows`);
  await timed("logs: the newest 100", () => store.logs({ limit: 100, ...all }));
  await timed("logs: errors of one model", () =>
    store.logs({ limit: 100, status: "error", model: "llama3.2", ...all }),
  );
  await timed("logs: 100 from the middle, by offset", () =>
    store.logs({ limit: 100, offset: ROWS / 2, ...all }),
  );
  await timed("history: a day by 5 minutes", () => store.history(daysOf(1, 300), all, nowMs));
  await timed("history: 30 days by hour", () => store.history(daysOf(30, 3_600), all, nowMs));
  await timed("history: 30 days by hour, one box", () =>
    store.history(daysOf(30, 3_600), { box: "box-1", ...all }, nowMs),
  );
}
