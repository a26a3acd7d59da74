/** A fault of an external store for each concern about one. The stores are made up. */
import { expect, vi } from "vitest";
import { type CONCERNS, type ConcernCode, LOSS_SHOWN_MS } from "../../protocol/concerns.ts";
import type { AggregatorStores } from "../../worker/aggregator/stores.ts";
import { recordOf } from "../support/records.ts";
import type { AlertScene } from "./alert-scene.ts";
import { CLICKHOUSE_BINDINGS, clickHouseAnswer } from "./fake-clickhouse.ts";
import type { Fault } from "./planted-faults.ts";

const MINUTE_MS = 60_000;
const POISON = "poison";

type StoreCode = {
  [Code in ConcernCode]: (typeof CONCERNS)[Code]["subject"] extends "external_store" ? Code : never;
}[ConcernCode];

const realFetch = globalThis.fetch;

/** Has every address that is not the receiver's answer like this. */
function stores(answer: (body: string) => Response): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (to, init) => {
    const { hostname } = new URL(to instanceof Request ? to.url : to);
    return hostname === "127.0.0.1" ? realFetch(to, init) : answer(String(init?.body));
  });
}

const works = () => stores(clickHouseAnswer);
/** Requests end all the time, so a store always gets some. */
const begins = (answer: typeof clickHouseAnswer) => (on: AlertScene) => {
  stores(answer);
  on.calls = () => [recordOf(Date.now() - 2_000)];
};
const fails = () => stores(() => new Response("", { status: 503 }));

/** ClickHouse's answer to rows that it cannot read. */
const refusal = () =>
  new Response("Code: 117. DB::Exception: an unknown field. (INCORRECT_DATA)", {
    status: 400,
    headers: { "x-clickhouse-exception-code": "117" },
  });

/** Neon's answer to a transaction: no rows for each of its statements. */
const emptyAnswer = (body: string) => {
  const { queries = [] } = JSON.parse(body) as { queries?: unknown[] };
  const fields = [{ name: "json", dataTypeID: 114 }];
  const none = { command: "SELECT", fields, rows: [], rowCount: 0, rowAsArray: true };
  return Response.json(queries.length === 0 ? none : { results: queries.map(() => none) });
};

/** A failed store is tried again within minutes. */
const recovers = async (on: AlertScene) => {
  works();
  await on.pass(7 * MINUTE_MS);
};
const forgetLoss = (on: AlertScene) => on.skip(LOSS_SHOWN_MS);
const storesOf = ({ aggregator }: AlertScene) =>
  (aggregator as unknown as { stores: AggregatorStores }).stores;
const clickhouse = { settings: CLICKHOUSE_BINDINGS, begin: begins(clickHouseAnswer) };

export const STORE_FAULTS: Record<StoreCode, Fault> = {
  store_failing: { ...clickhouse, cause: fails, heal: recovers },
  store_behind: {
    ...clickhouse,
    cause: async (on) => {
      // The store is slow: no delivery ends meanwhile.
      vi.spyOn(storesOf(on).deliveries, "flush").mockResolvedValue();
      await on.aggregator.putThresholds([
        { code: "store_behind", box: null, model: null, warning: 200, critical: null },
      ]);
      const startedMs = Date.now() - MINUTE_MS;
      const records = Array.from({ length: 400 }, (_, n) => recordOf(startedMs - n, {}, n));
      await on.aggregator.ingest(records, true);
    },
    heal: (on) => void vi.mocked(storesOf(on).deliveries.flush).mockRestore(),
  },
  store_not_cleared: {
    ...clickhouse,
    beside: ["store_failing"],
    cause: async (on) => {
      await on.aggregator.ingest([recordOf(Date.now() - MINUTE_MS)], true);
      fails();
      await on.aggregator.clear("logs");
    },
    heal: recovers,
  },
  records_dropped: {
    ...clickhouse,
    // A store that takes nothing is why an outbox becomes full.
    beside: ["store_failing"],
    cause: async (on) => {
      fails();
      await on.pass(MINUTE_MS);
      const { deliveries } = storesOf(on);
      // The real bound is a million records.
      deliveries.bound(Date.now(), { itemsMax: 1, bytesMax: Number.MAX_SAFE_INTEGER });
      works();
    },
    heal: forgetLoss,
  },
  records_refused: {
    ...clickhouse,
    cause: async (on) => {
      stores((body) => (body.includes(POISON) ? refusal() : clickHouseAnswer(body)));
      await on.aggregator.ingest([recordOf(Date.now() - MINUTE_MS, { prompt: POISON })], true);
    },
    heal: forgetLoss,
  },
  repository_stale: {
    settings: {
      EXPORTER_TYPE: "postgres",
      DATABASE_URL: "postgresql://edge:secret@neon.example/edge",
    },
    // Rows have no table in this Postgres; its repository is empty.
    beside: ["store_failing"],
    begin: begins(emptyAnswer),
    cause: fails,
    heal: async (on) => {
      stores(emptyAnswer);
      await on.pass(2 * MINUTE_MS);
      expect(storesOf(on).sharedRepository?.failure).toBeNull();
    },
  },
};
