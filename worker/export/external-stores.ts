/** The stores that the settings name. ClickHouse first: it answers what both could. */
import { ClickHouseStore } from "./clickhouse/clickhouse.ts";
import type { ExternalStore } from "./external-store.ts";
import { PostgresStore } from "./postgres/postgres.ts";
import type { StoreSettings } from "./settings.ts";

export const externalStoresOf = ({ clickhouse, postgres }: StoreSettings): ExternalStore[] => [
  ...(clickhouse === null ? [] : [new ClickHouseStore(clickhouse)]),
  ...(postgres === null ? [] : [new PostgresStore(postgres)]),
];
