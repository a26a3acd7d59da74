/** Every route of `/api`. Paths that are not in this table are answered with 404. */
import { ACTIVITY_ROUTES } from "./activity.ts";
import { AUDIT_ROUTES } from "./audit.ts";
import { BENCH_ROUTES } from "./bench.ts";
import { CHAT_ROUTES } from "./chat.ts";
import { CONFIG_ROUTES } from "./config.ts";
import { COST_ROUTES } from "./costs.ts";
import { DATA_ROUTES } from "./data.ts";
import { DOCS_ROUTES } from "./docs.ts";
import { EVENT_ROUTES } from "./events.ts";
import { EXPLANATION_ROUTES } from "./explanation.ts";
import { FLEET_ROUTES } from "./fleet.ts";
import { JOINING_ROUTES } from "./joining.ts";
import { KEY_ROUTES } from "./key-routes.ts";
import { LIVE_ROUTES } from "./live.ts";
import { NOTIFICATION_ROUTES } from "./notifications.ts";
import { OLLAMA_API_ROUTES } from "./ollama.ts";
import { PIN_ROUTES } from "./pins.ts";
import { PLANNING_ROUTES } from "./planning.ts";
import { REPOSITORY_ROUTES } from "./repository.ts";
import { REQUEST_ROUTES } from "./requests.ts";
import type { ApiRoute } from "./route.ts";
import { SESSION_ROUTES } from "./session.ts";
import { STATS_ROUTES } from "./stats.ts";
import { SYSTEM_ROUTES } from "./system.ts";
import { TARIFF_ROUTES } from "./tariff.ts";
import { THRESHOLD_ROUTES } from "./thresholds.ts";

export const API_ROUTES = {
  ...JOINING_ROUTES,
  ...FLEET_ROUTES,
  ...BENCH_ROUTES,
  ...SYSTEM_ROUTES,
  ...STATS_ROUTES,
  ...ACTIVITY_ROUTES,
  ...EXPLANATION_ROUTES,
  ...LIVE_ROUTES,
  ...REQUEST_ROUTES,
  ...EVENT_ROUTES,
  ...NOTIFICATION_ROUTES,
  ...THRESHOLD_ROUTES,
  ...CHAT_ROUTES,
  ...OLLAMA_API_ROUTES,
  ...PLANNING_ROUTES,
  ...PIN_ROUTES,
  ...REPOSITORY_ROUTES,
  ...DATA_ROUTES,
  ...CONFIG_ROUTES,
  ...TARIFF_ROUTES,
  ...COST_ROUTES,
  ...SESSION_ROUTES,
  ...KEY_ROUTES,
  ...AUDIT_ROUTES,
  ...DOCS_ROUTES,
} as const satisfies Record<string, ApiRoute>;
