/** The routes of `/api/stats` and `/api/models`: totals, history, logs and models. */
import { Hono } from "hono";
import { ACTIVITY_ROUTES } from "../../protocol/api/activity.ts";
import { EXPLAINED_SECONDS_MAX, EXPLANATION_ROUTES } from "../../protocol/api/explanation.ts";
import type { Logs, LogsPage } from "../../protocol/api/logs.ts";
import { STATS_ROUTES } from "../../protocol/api/stats.ts";
import { NOT_SHOWN, withoutText } from "../../protocol/kept-text.ts";
import { MINUTE_CELLS_KEPT_DAYS } from "../aggregator/cells.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { activitySpan } from "../answers/activity.ts";
import { explanationOf } from "../answers/explanation.ts";
import { historyExport, logsExport } from "../answers/export.ts";
import { isoOf } from "../answers/figures.ts";
import { endOf, spanOf } from "../answers/history.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { look } from "../gateway/look.ts";
import { demand } from "../principal.ts";
import { serveRoute } from "./api-route.ts";
import { historyReader, readActivity, readLogs } from "./read-older.ts";

/** Entries of one page if the query has no limit. */
const LOGS_LIMIT = 100;
/** Length of a period without a start. */
const EXPLAINED_SECONDS = 3_600;

export const statsRoutes = new Hono<Env>();

serveRoute(statsRoutes, STATS_ROUTES.currentStats, async ({ query: { key } }, c) => {
  await look(c.env);
  return aggregatorOf(c.env).current(key);
});

serveRoute(statsRoutes, STATS_ROUTES.history, async ({ query }, c) => {
  const { time_range, granularity, format, model, box, key } = query;
  const filter = { model, box, key };
  const span = spanOf(query, Date.now());
  const { store, read } = historyReader(c.env, {
    seconds: query.seconds,
    step: span.granularity,
    key,
  });
  if (format !== "json") return historyExport(format, span, (piece) => read(piece, filter));
  const [metrics, sinceMs] = await Promise.all([
    read(span, filter),
    aggregatorOf(c.env).countedSince(),
  ]);
  return { time_range, granularity, store, since: isoOf(sinceMs), metrics };
});

serveRoute(statsRoutes, ACTIVITY_ROUTES.activity, async ({ query }, c) => {
  const span = activitySpan(query, Date.now(), MINUTE_CELLS_KEPT_DAYS * 86_400);
  return {
    from: isoOf(span.from * 1_000),
    to: isoOf(endOf(span) * 1_000),
    step_seconds: span.granularity,
    ...(await readActivity(c.env, span, query)),
  };
});

serveRoute(statsRoutes, EXPLANATION_ROUTES.explainPeriod, async ({ query }, c) => {
  const { since, until, seconds = EXPLAINED_SECONDS, time_zone, ...filter } = query;
  const nowMs = Date.now();
  const toMs = Math.min(nowMs, until === undefined ? nowMs : Date.parse(until));
  const wantedMs = since === undefined ? toMs - seconds * 1_000 : Date.parse(since);
  const fromMs = Math.max(toMs - EXPLAINED_SECONDS_MAX * 1_000, Math.min(wantedMs, toMs - 1_000));
  return aggregatorOf(c.env).explainPeriod({ fromMs, toMs, timeZone: time_zone, filter });
});

serveRoute(statsRoutes, STATS_ROUTES.logs, async ({ query, principal }, c) => {
  const { format, limit, ...filter } = query;
  const mayReadText = principal.scopes.has("text");
  // A search would reveal a text letter by letter.
  if (filter.q !== undefined) demand(principal, "text");
  const read = async (page: Pick<LogsPage, "limit" | "cursor" | "offset">): Promise<Logs> => {
    const found = await readLogs(c.env, { ...filter, ...page });
    if (mayReadText) return found;
    return { ...found, logs: found.logs.map((entry) => withoutText(entry, NOT_SHOWN)) };
  };
  if (format !== "json") return logsExport(format, limit ?? null, read);
  return read({ limit: limit ?? LOGS_LIMIT });
});

serveRoute(statsRoutes, STATS_ROUTES.logFacets, async ({ query, principal }, c) => {
  if (query.q !== undefined) demand(principal, "text");
  return aggregatorOf(c.env).facets(query);
});

serveRoute(statsRoutes, STATS_ROUTES.log, async ({ params: { id }, principal }, c) => {
  const { logs, store } = await readLogs(c.env, { id, limit: 1 });
  const [entry] = logs;
  if (entry === undefined) throw new GatewayError({ reason: "request_unknown", id });
  const around = await aggregatorOf(c.env).around(entry);
  const shown = principal.scopes.has("text") ? entry : withoutText(entry, NOT_SHOWN);
  return {
    ...shown,
    explanation: explanationOf(entry, around),
    slower_than: around.slowerThan,
    prompt_tokens_cached: around.cachedTokens,
    store,
  };
});

serveRoute(statsRoutes, STATS_ROUTES.models, async ({ query: { key } }, c) =>
  aggregatorOf(c.env).models(key),
);
