/**
 * Logs, history and samples, including the part that the Durable Object no longer keeps.
 *
 * That part is read from the preferred external store, if one is configured. The Worker reads it
 * and
 * not the object, since a store may take seconds to wake up. An answer comes from one place and
 * names it. A store is never queried for data that the object has.
 */
import type { Activity } from "../../protocol/api/activity.ts";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import type { History } from "../../protocol/api/stats.ts";
import type { GpuHistory, SystemHistory } from "../../protocol/api/system.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { isSorted } from "../../protocol/log-order.ts";
import type { ActivityWish } from "../aggregator/activity-view.ts";
import {
  HOUR_CELLS_KEPT_DAYS,
  HOUR_SECONDS,
  type KeyFilter,
  MINUTE_CELLS_KEPT_DAYS,
} from "../aggregator/cells.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { type Counted, storedActivity } from "../answers/activity.ts";
import { gpuHistoryOf } from "../answers/gpu-history.ts";
import type { Span } from "../answers/history.ts";
import { systemHistoryOf } from "../answers/system-history.ts";
import type { Bindings } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { type ExternalStore, StoreError } from "../export/external-store.ts";
import { openExternalStores } from "../export/external-stores.ts";
import { settingsOf } from "../settings.ts";

const DAY_SECONDS = 86_400;

/** Reads one page. The page after the last one of the ledger is the first one of the store. */
export async function readLogs(env: Bindings, page: LogsPage): Promise<Logs> {
  const aggregator = aggregatorOf(env);
  const logs = await aggregator.logs(page);
  const store = preferredStore(env);
  // No order but that of time goes on from one place to the other.
  if (logs.logs.length > 0 || store === undefined || isSorted(page)) return logs;
  const older = await aggregator.olderLogs();
  return older === null ? logs : readFrom(store, () => store.logs({ ...page, ...older }));
}

export type HistoryReader = {
  store: History["store"];
  read: (piece: Span, filter: KeyFilter) => Promise<History["metrics"]>;
};

/**
 * @param seconds  age of the oldest bucket
 * @param step     length of a bucket, seconds
 * @throws {GatewayError} `bad_request`, if no store keeps the requested history
 */
export function historyReader(
  env: Bindings,
  { seconds, step, key }: { seconds: number; step: number; key: string | undefined },
): HistoryReader {
  const isFine = step < HOUR_SECONDS && seconds > MINUTE_CELLS_KEPT_DAYS * DAY_SECONDS;
  const aggregator = aggregatorOf(env);
  if (!isFine && seconds <= HOUR_CELLS_KEPT_DAYS * DAY_SECONDS)
    return { store: "durable_object", read: (piece, filter) => aggregator.history(piece, filter) };
  const store = preferredStore(env);
  if (store === undefined) {
    const kept = isFine
      ? `buckets beyond ${MINUTE_CELLS_KEPT_DAYS} days are at least an hour long: use 1h or 1d`
      : `history is kept for ${HOUR_CELLS_KEPT_DAYS} days`;
    throw new GatewayError({
      reason: "bad_request",
      detail: `Without ClickHouse or Postgres ${kept}.`,
    });
  }
  const { sumsDays, requestsDays } = store.retention;
  const days = key === undefined ? sumsDays : requestsDays;
  if (seconds > days * DAY_SECONDS)
    throw new GatewayError({
      reason: "bad_request",
      detail: `History${key === undefined ? "" : " by key"} is kept for ${days} days in ${store.name}.`,
    });
  const read = async (piece: Span, filter: KeyFilter) => {
    const clearedMs = await aggregator.metricsClearedMs();
    return readFrom(store, () => store.history(piece, { ...filter, clearedMs }, Date.now()));
  };
  return { store: store.name, read };
}

/** @throws {GatewayError} `bad_request`, if no store keeps the requested period */
export async function readActivity(
  env: Bindings,
  span: Span,
  { key, split, model, box }: ActivityWish,
): Promise<Counted & Pick<Activity, "store">> {
  const step = span.granularity;
  const seconds = Date.now() / 1_000 - span.from - step;
  const { store, read } = historyReader(env, { seconds, step, key });
  if (store === "durable_object")
    return { store, ...(await aggregatorOf(env).activity(span, { key, split, model, box })) };
  const filter = { key, model, box };
  const whole = { from: span.from, granularity: step * span.buckets, buckets: 1 };
  const [points, [total], sinceMs] = await Promise.all([
    read(span, filter),
    read(whole, filter),
    aggregatorOf(env).countedSince(),
  ]);
  if (total === undefined) throw new Error("a history of one bucket has no point");
  return { store, ...storedActivity(points, total, sinceMs) };
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

/** The first configured store; all of them could answer. */
const preferredStore = (env: Bindings): ExternalStore | undefined =>
  openExternalStores(settingsOf(env).stores.configured)[0];

/**
 * Returns the store to read samples from; null if the object has them.
 * @throws {GatewayError} `bad_request`, if no store keeps samples for this long.
 */
function samplesStore(env: Bindings, seconds: number): ExternalStore | null {
  const { samplesMs } = settingsOf(env).retention;
  if (seconds * 1_000 <= samplesMs) return null;
  const store = preferredStore(env);
  if (store === undefined)
    throw new GatewayError({
      reason: "bad_request",
      detail: `Without ClickHouse or Postgres samples are kept for ${samplesMs === DAY_MS ? "a day" : `${samplesMs / 3_600_000} hours`}.`,
    });
  const days = store.retention.samplesDays;
  if (seconds > days * DAY_SECONDS)
    throw new GatewayError({
      reason: "bad_request",
      detail: `Samples are kept for ${days} days in ${store.name}.`,
    });
  return store;
}

async function samplesOf(env: Bindings, store: ExternalStore, span: Span, box: string | undefined) {
  const clearedMs = await aggregatorOf(env).metricsClearedMs();
  return readFrom(store, () => store.samples(span, { box, clearedMs }));
}

/** @throws {GatewayError} `store_unavailable` */
async function readFrom<Answer>(
  store: ExternalStore,
  read: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof StoreError)
      throw new GatewayError({
        reason: "store_unavailable",
        detail: `${store.name} ${error.message}`,
      });
    throw error;
  }
}
