/** Every route of `/api`: nothing is answered there that is not in this table. */
import { CHAT_ROUTES } from "./chat.ts";
import { FLEET_ROUTES } from "./fleet.ts";
import type { ApiRoute } from "./route.ts";
import { STATS_ROUTES } from "./stats.ts";
import { SYSTEM_ROUTES } from "./system.ts";

export const API_ROUTES = { ...FLEET_ROUTES, ...SYSTEM_ROUTES, ...STATS_ROUTES, ...CHAT_ROUTES } as const satisfies Record<
  string,
  ApiRoute
>;
