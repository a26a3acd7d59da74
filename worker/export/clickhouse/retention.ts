/** The retention of the tables in ClickHouse, which deletes rows by the TTL of each table. */
import * as z from "zod";
import type { StoreRetention } from "../../retention.ts";
import type { Table } from "../schema.ts";
import type { ClickHouseClient } from "./client.ts";
import { CLICKHOUSE_TABLES } from "./schema.ts";

const Engine = z.object({ name: z.string(), engine: z.string() });

/** The table whose rows are deleted at another time than the settings require, and the TTL it needs. */
export type OtherTtl = { name: string; ttl: string };

/** Returns the tables whose TTL differs from the settings. */
export async function otherTtls(
  client: ClickHouseClient,
  retention: StoreRetention,
): Promise<OtherTtl[]> {
  const names = CLICKHOUSE_TABLES.map(({ name }) => name);
  const query = `SELECT name, engine_full AS engine FROM system.tables WHERE database = currentDatabase()
      AND name IN {names:Array(String)}`;
  const found = await client.read(Engine, query, { names });
  const engines = new Map(found.map(({ name, engine }) => [name, engine]));
  return CLICKHOUSE_TABLES.flatMap((table) => {
    const ttl = ttlOf(table, retention);
    const isSet = ttl === null || engines.get(table.name)?.includes(` TTL ${ttl} SETTINGS `);
    return isSet ? [] : [{ name: table.name, ttl }];
  });
}

/** Returns the expression as ClickHouse prints it; null if the rows stay. */
export const ttlOf = ({ kept }: Table, retention: StoreRetention): string | null =>
  kept === undefined ? null : `${kept.since} + toIntervalDay(${retention[kept.for]})`;
