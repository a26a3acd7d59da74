/** Fresh stores for each test of a file, and checks of what was delivered to them. */

import { afterEach, beforeEach, expect } from "vitest";
import type { RequestRecord } from "../../protocol/records.ts";
import { StoreName } from "../../protocol/stores.ts";
import { recordOf } from "../support/records.ts";
import type { Edge } from "./edge.ts";
import { type FreshStores, faults, freshStores } from "./fresh-stores.ts";

export const NOW = Date.UTC(2026, 10, 24, 12);
export const NAMES = StoreName.options;
export const TABLES = { clickhouse: "requests", postgres: "request_logs" } as const;

/** The stores of the current test. */
export let stores: FreshStores;

export function useFreshStores(): void {
  beforeEach(async () => {
    stores = await freshStores();
  });
  afterEach(async () => {
    await Promise.all(NAMES.map((name) => faults(name, [])));
  });
}

let made = 0;
/** Makes records that are all different. */
export const requests = (count: number, rest: Partial<RequestRecord> = {}): RequestRecord[] =>
  Array.from({ length: count }, () => recordOf(NOW - 60_000, rest, made++));

/** Makes a record of a request that starts at this time. */
export const requestAt = (startedMs: number): RequestRecord => recordOf(startedMs, {}, made++);

export const both = () => [stores.clickhouse, stores.postgres];

/**
 * Checks the rows, the distinct requests and the sum of the minutes. They are equal if nothing was
 * stored twice.
 */
export async function expectStored(name: StoreName, count: number): Promise<void> {
  const [row] = await stores.ask[name](
    `SELECT count(*) AS n, count(DISTINCT request_id) AS ids FROM ${TABLES[name]}`,
  );
  const table = name === "clickhouse" ? "requests_minutes" : "request_minutes";
  const [minutes] = await stores.ask[name](
    `SELECT sum(successes + errors + cancelled) AS n FROM ${table}`,
  );
  const counts = [Number(row?.n), Number(row?.ids), Number(minutes?.n)];
  expect(new Set(counts), name).toEqual(new Set([count]));
}

export const healthOf = (edge: Edge, name: StoreName) =>
  edge.deliveries.health().find(({ sink }) => sink === name);
