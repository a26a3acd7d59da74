/**
 * Logs, history and samples, also of what the object does not keep any more: that is read from the store that
 * is configured, ClickHouse before Postgres.
 *
 * By the Worker, not by the object: it may take a store seconds to wake. An answer is of one place,
 * and says of which. No store is asked for what the object has.
 */
import {
  GRANULARITIES,
  type History,
  type HistoryQuery,
  type Logs,
  type LogsPage,
} from "../../protocol/api/stats.ts";
import type { GpuHistory, SystemHistory } from "../../protocol/api/system.ts";
import { SAMPLES_KEPT_MS } from "../aggregator/arriving-samples.ts";
import {
  type CellFilter,
  HOUR_CELLS_KEPT_DAYS,
  HOUR_SECONDS,
  MINUTE_CELLS_KEPT_DAYS,
} from "../aggregator/cells.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { gpuHistoryOf } from "../answers/gpu-history.ts";
import type { Span } from "../answers/history.ts";
import { systemHistoryOf } from "../answers/system-history.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { type ExternalStore, StoreError } from "../export/external-store.ts";
import { externalStoresOf } from "../export/external-stores.ts";
import { settingsOf } from "../settings.ts";

const DAY_SECONDS = 86_400;

/** One page. The one after the last of the ledger is the first of the store. */
export async function readLogs(env: Bindings, page: LogsPage): Promise<Logs> {
  const aggregator = aggregatorOf(env);
  const logs = await aggregator.logs(page);
  const [store] = externalStoresOf(settingsOf(env).stores);
  if (logs.logs.length > 0 || store === undefined) return logs;
  const older = await aggregator.olderLogs();
  return older === null ? logs : asked(store, () => store.logs({ ...page, ...older }));
}

export type HistoryReader = {
  store: History["store"];
  read: (piece: Span, filter: CellFilter) => Promise<History["metrics"]>;
};

/** @throws {GatewayError} `bad_request`, when what is asked for is kept nowhere. */
export function historyReader(
  env: Bindings,
  { seconds, granularity }: Pick<HistoryQuery, "seconds" | "granularity">,
): HistoryReader {
  const isFine =
    GRANULARITIES[granularity] < HOUR_SECONDS && seconds > MINUTE_CELLS_KEPT_DAYS * DAY_SECONDS;
  const aggregator = aggregatorOf(env);
  if (!isFine && seconds <= HOUR_CELLS_KEPT_DAYS * DAY_SECONDS)
    return { store: "durable_object", read: (piece, filter) => aggregator.history(piece, filter) };
  const [store] = externalStoresOf(settingsOf(env).stores);
  if (store === undefined) {
    const kept = isFine
      ? `beyond ${MINUTE_CELLS_KEPT_DAYS} days sums are by the hour: use 1h or 1d`
      : `sums are kept for ${HOUR_CELLS_KEPT_DAYS} days`;
    throw new GatewayError({
      reason: "bad_request",
      what: `Without ClickHouse or Postgres ${kept}.`,
    });
  }
  if (seconds > store.historyDays * DAY_SECONDS)
    throw new GatewayError({
      reason: "bad_request",
      what: `History is kept for ${store.historyDays} days in ${store.name}.`,
    });
  const read = async (piece: Span, filter: CellFilter) => {
    const clearedMs = await aggregator.metricsClearedMs();
    return asked(store, () => store.history(piece, { ...filter, clearedMs }, Date.now()));
  };
  return { store: store.name, read };
}

export async function readSystemHistory(
  env: Bindings,
  span: Span,
  seconds: number,
  box?: string,
): Promise<Pick<SystemHistory, "store" | "data">> {
  const store = samplesStore(env, seconds);
  if (store === null)
    return { store: "durable_object", data: await aggregatorOf(env).systemHistory(span, box) };
  return { store: store.name, data: systemHistoryOf(span, await samplesOf(env, store, span, box)) };
}

export async function readGpuHistory(
  env: Bindings,
  span: Span,
  seconds: number,
  box?: string,
): Promise<Omit<GpuHistory, "time_range">> {
  const store = samplesStore(env, seconds);
  if (store === null)
    return { store: "durable_object", ...(await aggregatorOf(env).gpuHistory(span, box)) };
  return { store: store.name, ...gpuHistoryOf(span, await samplesOf(env, store, span, box)) };
}

/** Null while the object has them. @throws {GatewayError} `bad_request`, when they are kept nowhere for so long. */
function samplesStore(env: Bindings, seconds: number): ExternalStore | null {
  if (seconds * 1_000 <= SAMPLES_KEPT_MS) return null;
  const [store] = externalStoresOf(settingsOf(env).stores);
  if (store === undefined)
    throw new GatewayError({
      reason: "bad_request",
      what: "Without ClickHouse or Postgres samples are kept for a day.",
    });
  if (seconds > store.samplesDays * DAY_SECONDS)
    throw new GatewayError({
      reason: "bad_request",
      what: `Samples are kept for ${store.samplesDays} days in ${store.name}.`,
    });
  return store;
}

async function samplesOf(env: Bindings, store: ExternalStore, span: Span, box: string | undefined) {
  const clearedMs = await aggregatorOf(env).metricsClearedMs();
  return asked(store, () => store.samples(span, { box, clearedMs }));
}

/** @throws {GatewayError} `store_unavailable` */
async function asked<Answer>(store: ExternalStore, read: () => Promise<Answer>): Promise<Answer> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof StoreError)
      throw new GatewayError({
        reason: "store_unavailable",
        what: `${store.name} ${error.message}`,
      });
    throw error;
  }
}
