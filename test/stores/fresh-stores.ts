/**
 * Fresh stores for a test: a database in each engine, direct queries, and faults between edge and
 * engine.
 */
import { neon, neonConfig } from "@neondatabase/serverless";
import { inject } from "vitest";
import * as z from "zod";
import type { StoreName } from "../../protocol/stores.ts";
import { ClickHouseStore } from "../../worker/export/clickhouse/clickhouse.ts";
import { PostgresStore } from "../../worker/export/postgres/postgres.ts";
import { type StoreSettings, storeSettingsOf } from "../../worker/export/settings.ts";
import type { Fault } from "../support/engines/fault.ts";

declare module "vitest" {
  interface ProvidedContext {
    engines: Record<string, string>;
    rounds: number;
  }
}

export type FreshStores = Awaited<ReturnType<typeof freshStores>>;

/** @param isMigrated  false leaves the databases empty */
export async function freshStores(isMigrated = true) {
  const engines = inject("engines");
  neonConfig.fetchEndpoint = engines.NEON_FETCH_ENDPOINT ?? "";
  const database = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const url = new URL(engines.DATABASE_URL ?? "");
  await neon(url.href).query(`CREATE DATABASE ${database}`);
  url.pathname = database;
  const variables = { ...engines, CLICKHOUSE_DATABASE: database, DATABASE_URL: url.href };
  const settings = storeSettingsOf(variables);
  const stores = storesIn(settings);
  if (isMigrated) await Promise.all([stores.clickhouse.migrate(), stores.postgres.migrate()]);
  return { ...stores, settings, variables, ...askIn(settings) };
}

/** Returns functions that query the configured databases themselves. */
export function askIn({ configured: { clickhouse, postgres } }: StoreSettings) {
  if (clickhouse === null || postgres === null)
    throw new Error("both stores are configured in these tests");
  neonConfig.fetchEndpoint = inject("engines").NEON_FETCH_ENDPOINT ?? "";
  const ask = {
    clickhouse: (query: string) => queryClickHouse(clickhouse.database, query),
    postgres: (query: string) => neon(postgres.url).query(query),
  };
  return { ask };
}

export function storesIn({ configured: { clickhouse, postgres } }: StoreSettings): {
  clickhouse: ClickHouseStore;
  postgres: PostgresStore;
} {
  if (clickhouse === null || postgres === null)
    throw new Error("both stores are configured in these tests");
  return { clickhouse: new ClickHouseStore(clickhouse), postgres: new PostgresStore(postgres) };
}

/** Queries the engine directly, not through the store under test. */
async function queryClickHouse(
  database: string,
  query: string,
): Promise<Record<string, unknown>[]> {
  const { CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = inject("engines");
  const url = new URL(CLICKHOUSE_URL ?? "");
  url.search = new URLSearchParams({
    database,
    default_format: "JSONEachRow",
    output_format_json_quote_64bit_integers: "0",
  }).toString();
  const authorization = `Basic ${btoa(`${CLICKHOUSE_USER}:${CLICKHOUSE_PASSWORD}`)}`;
  const answer = await fetch(url, { method: "POST", body: query, headers: { authorization } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
}

const frontOf = (store: StoreName): string =>
  new URL(
    "/",
    store === "clickhouse"
      ? inject("engines").CLICKHOUSE_URL
      : inject("engines").NEON_FETCH_ENDPOINT,
  ).href;

/** Sets the faults of the next statements. Replaces earlier ones. */
export async function faults(store: StoreName, list: Partial<Fault>[]): Promise<void> {
  const answer = await fetch(`${frontOf(store)}faults`, {
    method: "POST",
    body: JSON.stringify(list),
  });
  if (!answer.ok) throw new Error(`the front refused the faults: ${answer.status}`);
}

/**
 * Returns the statements since {@link faults} was last called. The statements of a transaction are
 * one, separated by semicolons.
 */
export const statements = async (store: StoreName): Promise<string[]> =>
  z.array(z.string()).parse(await (await fetch(`${frontOf(store)}statements`)).json());
