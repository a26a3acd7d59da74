/** Queries of the Aggregator that its tests share. */
import type { LogsPage } from "../../protocol/api/logs.ts";
import { HistoryPoint, HistoryQuery } from "../../protocol/api/stats.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { spanOf } from "../../worker/answers/history.ts";

export const logsQuery = (rest: Partial<LogsPage> = {}): LogsPage => ({ limit: 100, ...rest });

export async function historyOf(
  aggregator: DurableObjectStub<Aggregator>,
  fields: Record<string, unknown>,
): Promise<HistoryPoint[]> {
  const query = HistoryQuery.parse(fields);
  return (await aggregator.history(spanOf(query, Date.now()), query)).map((point) =>
    HistoryPoint.parse(point),
  );
}

export const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

/** Returns the rows written by this connection so far. */
export const changes = (storage: DurableObjectStorage): number =>
  Number(storage.sql.exec("SELECT total_changes() AS n").one().n);
