/**
 * `npm run check:stores`: checks that each configured external store accepts and returns what this
 * version writes and reads, with the same credentials. Deletes what it wrote.
 */
import { randomUUID } from "node:crypto";
import { type RequestRecord, UNMEASURED } from "../protocol/records.ts";
import { type ExternalStore, STATEMENT_MS, StoreError } from "../worker/export/external-store.ts";
import { requestRow } from "../worker/export/rows.ts";
import { PostgresRepository, type RepositoryExchange } from "../worker/repository/postgres.ts";
import { withEachStore } from "./store-programs.ts";

await withEachStore(async (store, { postgres }) => {
  const began = performance.now();
  await store.check();
  // A name that no real model has, so that the check counts and deletes only its own rows.
  const model = `check-stores-${randomUUID()}`;
  try {
    await storesOnce(store, model);
  } finally {
    await store.deleteModel(model);
  }
  if (store.name === "postgres" && postgres !== null)
    await keepsModels(new PostgresRepository(postgres), model);
  const { total } = await store.logs({ model, limit: 1, clearedMs: null });
  if (total !== 0)
    throw new StoreError("unavailable", "did not delete the rows that this check wrote");
  return `writes, reads and deletes correctly, in ${Math.round(performance.now() - began)} ms`;
});

async function storesOnce(store: ExternalStore, model: string): Promise<void> {
  const nowMs = Date.now();
  const record: RequestRecord = {
    ...UNMEASURED,
    request_id: requestId(nowMs),
    started_at: new Date(nowMs).toISOString(),
    box: "check",
    model,
    endpoint: "/api/chat",
    api: "ollama",
    stream: false,
    status: "success",
    http_status: 200,
    failed_at: null,
    error_message: null,
    prompt: "Is this \0 stored once? \ud83d",
    latency_ms: 12.5,
    prompt_tokens: 3,
    key_id: null,
    client_ip: null,
    user_agent: null,
    end_user: null,
    session_id: null,
    edge_ms: null,
    resumed: 0,
    source: "edge",
  };
  const batch = { id: randomUUID(), kind: "requests" as const, rows: [requestRow(record, nowMs)] };
  await store.insert(batch);
  await store.insert(batch);
  const { logs } = await store.logs({ model, limit: 10, clearedMs: null });
  if (logs.length !== 1)
    throw new StoreError("unavailable", `has ${logs.length} rows for one that was written twice`);
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
      `counts ${points[0]?.requests} requests for one that was written twice`,
    );
}

/** Checks that the model repository accepts an entry and removes it again. */
async function keepsModels(repository: PostgresRepository, name: string): Promise<void> {
  const write = (write: RepositoryExchange["write"]) =>
    repository.exchange({
      edge: randomUUID(),
      unsent: [],
      write,
      nowMs: Date.now(),
      signal: AbortSignal.timeout(STATEMENT_MS),
    });
  const { models } = await write({ kind: "put", name, edit: {} });
  const { changed } = await write({ kind: "remove", name });
  if (!models.some(({ model_name }) => model_name === name) || changed?.length !== 1)
    throw new StoreError(
      "unavailable",
      "did not keep or did not remove an entry of the model repository",
    );
}

/** Makes a UUIDv7, as the edge does. */
function requestId(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
