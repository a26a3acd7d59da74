/** ClickHouse in the list of external stores. */
import type { StoreDefinition } from "../store-definition.ts";
import { ClickHouseStore } from "./clickhouse.ts";
import { CLICKHOUSE_VARIABLES, clickHouseSettings } from "./settings.ts";

export const CLICKHOUSE = {
  name: "clickhouse",
  variables: CLICKHOUSE_VARIABLES,
  addressVariable: "CLICKHOUSE_URL",
  settingsOf: clickHouseSettings,
  open: (settings) => new ClickHouseStore(settings),
} as const satisfies StoreDefinition<
  Parameters<typeof clickHouseSettings>[0],
  NonNullable<ReturnType<typeof clickHouseSettings>>
>;
