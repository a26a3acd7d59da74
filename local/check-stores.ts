/**
 * `npm run check:stores`: whether the stores that the environment names take and give what this
 * version writes and reads, with those very credentials. What it writes it deletes again.
 */
import { randomUUID } from "node:crypto";
import { UNMEASURED } from "../protocol/records.ts";
import { STATEMENT_MS, StoreError } from "../worker/export/external-store.ts";
import { requestRow } from "../worker/export/rows.ts";
import { PostgresRepository, type RepositoryExchange } from "../worker/repository/postgres.ts";
import { type NamedStore, withEachStore } from "./store-programs.ts";

await withEachStore(async (store, { postgres }) => {
  const began = performance.now();
  await store.check();
  // No model of anybody is called so: it is what is counted, and deleted.
  const model = `check-stores-${randomUUID()}`;
  try {
    await writesOnce(store, model);
  } finally {
    await store.deleteModel(model);
  }
  if (store.name === "postgres" && postgres !== null)
    await keepsModels(new PostgresRepository(postgres), model);
  const { total } = await store.logs({ model, limit: 1, clearedMs: null });
  if (total !== 0)
    throw new StoreError("unavailable", "did not delete what was written for this check");
  return `writes, reads and deletes as it must, in ${Math.round(performance.now() - began)} ms`;
});

async function writesOnce(store: NamedStore, model: string): Promise<void> {
  const nowMs = Date.now();
  const record = {
    ...UNMEASURED,
    request_id: requestId(nowMs),
    started_at: new Date(nowMs).toISOString(),
    box: "check",
    model,
    endpoint: "/api/chat",
    ...({
      api: "ollama",
      stream: false,
      status: "success",
      http_status: 200,
      failed_at: null,
      error_message: null,
    } as const),
    prompt: "Is this \0 stored once? \ud83d",
    latency_ms: 12.5,
    prompt_tokens: 3,
    key_id: null,
    client_ip: null,
    user_agent: null,
    edge_ms: null,
    resumed: 0,
  };
  const batch = { id: randomUUID(), kind: "requests" as const, rows: [requestRow(record, nowMs)] };
  await store.insert(batch);
  await store.insert(batch);
  const { logs } = await store.logs({ model, limit: 10, clearedMs: null });
  if (logs.length !== 1)
    throw new StoreError("unavailable", `gave ${logs.length} rows for one that was written twice`);
  const minute = Math.floor(nowMs / 60_000) * 60;
  const points = await store.history(
    { from: minute, granularity: 60, buckets: 1 },
    { model, clearedMs: null },
    nowMs,
  );
  await store.samples({ from: minute, granularity: 60, buckets: 1 }, { clearedMs: null });
  if (points[0]?.requests !== 1)
    throw new StoreError(
      "unavailable",
      `summed up ${points[0]?.requests} requests for one that was written twice`,
    );
}

/** The model repository takes an entry, and gives it up again. */
async function keepsModels(repository: PostgresRepository, name: string): Promise<void> {
  const write = (write: RepositoryExchange["write"]) =>
    repository.exchange({
      edge: randomUUID(),
      unsent: [],
      write,
      nowMs: Date.now(),
      signal: AbortSignal.timeout(STATEMENT_MS),
    });
  const { models } = await write({ kind: "put", name, said: {} });
  const { changed } = await write({ kind: "remove", name });
  if (!models.some(({ model_name }) => model_name === name) || changed?.length !== 1)
    throw new StoreError(
      "unavailable",
      "did not keep, or did not give up, an entry of the model repository",
    );
}

/** A UUIDv7, as the edge makes them. */
function requestId(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
