/** The routes of `/api/stats` and `/api/models`: totals, history, logs and models. */
import { Hono } from "hono";
import { STATS_ROUTES } from "../../protocol/api/stats.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { historyExport, logsExport } from "../answers/export.ts";
import { spanOf } from "../answers/history.ts";
import type { Env } from "../env.ts";
import { boxStatuses } from "../gateway/fleet.ts";
import { serveRoute } from "./api-route.ts";
import { historyReader, readLogs } from "./read-older.ts";

/** Entries of one page if the query has no limit. */
const LOGS_LIMIT = 100;

export const statsRoutes = new Hono<Env>();

serveRoute(statsRoutes, STATS_ROUTES.currentStats, async (_, c) =>
  aggregatorOf(c.env).current(await boxStatuses(c.env)),
);

serveRoute(statsRoutes, STATS_ROUTES.history, async ({ query }, c) => {
  const { time_range, granularity, format, model, box } = query;
  const filter = { model, box };
  const span = spanOf(query, Date.now());
  const { store, read } = historyReader(c.env, query);
  if (format !== "json") return historyExport(format, span, (piece) => read(piece, filter));
  return { time_range, granularity, store, metrics: await read(span, filter) };
});

serveRoute(statsRoutes, STATS_ROUTES.logs, async ({ query: { format, limit, ...filter } }, c) => {
  if (format !== "json")
    return logsExport(format, limit ?? null, (page) => readLogs(c.env, { ...filter, ...page }));
  return readLogs(c.env, { ...filter, limit: limit ?? LOGS_LIMIT });
});

serveRoute(statsRoutes, STATS_ROUTES.models, async (_, c) => aggregatorOf(c.env).models());
