/** The stores that the settings name. ClickHouse first: it answers what both could. */
import { ClickHouseStore } from "./clickhouse/clickhouse.ts";
import { PostgresStore } from "./postgres/postgres.ts";
import type { StoreSettings } from "./settings.ts";
import type { Store } from "./external-store.ts";

export const storesOf = ({ clickhouse, postgres }: StoreSettings): Store[] => [
  ...(clickhouse === null ? [] : [new ClickHouseStore(clickhouse)]),
  ...(postgres === null ? [] : [new PostgresStore(postgres)]),
];
