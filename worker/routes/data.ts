/** The routes of `/api/data` and `/api/config`: stored data, and the settings of the edge. */

import { Hono } from "hono";
import { CONFIG_ROUTES, type Config } from "../../protocol/api/config.ts";
import { DATA_ROUTES } from "../../protocol/api/data.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { HOUR_CELLS_KEPT_DAYS, MINUTE_CELLS_KEPT_DAYS } from "../aggregator/cells.ts";
import { EVENTS_MAX } from "../aggregator/events.ts";
import { LEDGER_ROWS_MAX } from "../aggregator/ledger.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings, Env } from "../env.ts";
import { settleBoxes } from "../gateway/fleet.ts";
import { forgetBoxes } from "../gateway/known-fleet.ts";
import type { Principal } from "../principal.ts";
import { inForce, type RunTimeSettings, settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";
import { serveRoute } from "./api-route.ts";

const HOUR_MS = 3_600_000;

export const dataRoutes = new Hono<Env>();

serveRoute(dataRoutes, DATA_ROUTES.dataSummary, async (_, c) => aggregatorOf(c.env).dataSummary());
serveRoute(dataRoutes, DATA_ROUTES.clearMetrics, async (_, c) =>
  aggregatorOf(c.env).clear("metrics", c.get("requestId")),
);
serveRoute(dataRoutes, DATA_ROUTES.clearLogs, async (_, c) =>
  aggregatorOf(c.env).clear("logs", c.get("requestId")),
);
serveRoute(dataRoutes, DATA_ROUTES.clearAll, async (_, c) =>
  aggregatorOf(c.env).clear("all", c.get("requestId")),
);

serveRoute(dataRoutes, CONFIG_ROUTES.config, async ({ principal }, c) =>
  configOf(c.env, principal, await aggregatorOf(c.env).settings()),
);

serveRoute(dataRoutes, CONFIG_ROUTES.patchConfig, async ({ body, principal }, c) => {
  const changed = await aggregatorOf(c.env).patchSettings(body, c.get("requestId"));
  forgetBoxes(); // their cache holds the previous settings and would serve them a moment longer
  await settleBoxes(c.env, inForce(settingsOf(c.env), changed).logContent === "on");
  await aggregatorOf(c.env).erase();
  return configOf(c.env, principal, changed);
});

/** Returns only the host: the rest of a URL may contain a password. */
const hostOf = (store: { url: string } | null): string | null =>
  store === null ? null : new URL(store.url).hostname;

function storeRetention(env: Bindings): Config["retention"]["stores"] {
  const { clickhouse, postgres } = settingsOf(env).stores.configured;
  const kept = (clickhouse ?? postgres)?.retention;
  return kept === undefined
    ? null
    : {
        logs_days: kept.requestsDays,
        samples_days: kept.samplesDays,
        sums_days: kept.sumsDays,
      };
}

function configOf(env: Bindings, principal: Principal, changed: RunTimeSettings): Config {
  const deployed = settingsOf(env);
  const { retention } = deployed;
  const { enableInstrumentation, logContent } = inForce(deployed, changed);
  const isAdmin = principal.scopes.has("admin");
  return {
    enable_instrumentation: enableInstrumentation,
    exporter_type: deployed.stores.exporterType,
    metrics_export_interval: deployed.stores.exportIntervalMs / 1_000,
    clickhouse_host: isAdmin ? hostOf(deployed.stores.configured.clickhouse) : null,
    postgres_host: isAdmin ? hostOf(deployed.stores.configured.postgres) : null,
    log_content: logContent,
    auth_mode: deployed.authMode,
    scopes: [...principal.scopes],
    retention: {
      logs_days: retention.logsMs / DAY_MS,
      logs_rows_max: LEDGER_ROWS_MAX,
      minutes_days: MINUTE_CELLS_KEPT_DAYS,
      hours_days: HOUR_CELLS_KEPT_DAYS,
      samples_hours: retention.samplesMs / HOUR_MS,
      texts_hours: (retention.textsMs ?? retention.logsMs) / HOUR_MS,
      events_days: retention.eventsMs === null ? null : retention.eventsMs / DAY_MS,
      events_max: EVENTS_MAX,
      audit_days: retention.auditMs / DAY_MS,
      stores: storeRetention(env),
    },
    version: VERSION,
    changed_at:
      changed.changed_at_ms === null ? null : new Date(changed.changed_at_ms).toISOString(),
  };
}
