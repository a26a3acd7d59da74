/** The costs of models and boxes, from the readings and records that arrive. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { type CostRow, Costs, CostsQuery } from "../../protocol/api/costs.ts";
import type { GpuEnergy } from "../../protocol/gpu-energy.ts";
import { Tariff } from "../../protocol/tariff.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { AuditLog } from "../../worker/aggregator/audit-log.ts";
import { CellStore } from "../../worker/aggregator/cells.ts";
import { EnergyHours } from "../../worker/aggregator/energy-hours.ts";
import { EventStore } from "../../worker/aggregator/events.ts";
import { Forgotten } from "../../worker/aggregator/forgotten.ts";
import { keepHouse } from "../../worker/aggregator/housekeeping.ts";
import { KeyHours } from "../../worker/aggregator/key-hours.ts";
import { Ledger } from "../../worker/aggregator/ledger.ts";
import { Moves } from "../../worker/aggregator/moves.ts";
import { SampleStore } from "../../worker/aggregator/samples.ts";
import { Outbox } from "../../worker/export/outbox.ts";
import { helloOf, readingsOf, recordOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

type Stub = DurableObjectStub<Aggregator>;

const KWH = 3.6e6;
const METER = crypto.randomUUID();
const tariff = (price_per_kwh: number) =>
  Tariff.parse({
    currency: "EUR",
    default: { prices: [{ from: 0, to: 24, price_per_kwh }], co2_g_per_kwh: 500 },
  });

/** Sends readings with the totals of the meter, in kWh; each state was measured for `seconds`. */
const read = (
  aggregator: Stub,
  kwh: [active: number, loaded: number, idle: number],
  seconds: number,
  loaded: string[],
  box = "atlas",
  meter_id = METER,
) => {
  const [active, unused, idle] = kwh.map((each) => ({ joules: each * KWH, seconds: seconds / 3 }));
  const energy = { active, loaded: unused, idle } as GpuEnergy;
  return aggregator.read(box, {
    ...readingsOf(Date.now(), ["big", "small"], [], loaded),
    gpu_energy: { meter_id, gpus: [{ index: 0, uuid: "GPU-1", name: "H100", energy }] },
  });
};

const costsOf = async (aggregator: Stub, query: object = {}) =>
  Costs.parse(
    await aggregator.costs(
      CostsQuery.parse({ from: new Date(Date.now() - 40 * 86_400_000).toISOString(), ...query }),
    ),
  );
const rowOf = ({ rows }: Costs, group: string | null): CostRow | undefined =>
  rows.find((row) => row.group === group);

let n = 0;
const record = (model: string, kwh: number, rest: Parameters<typeof recordOf>[1] = {}) =>
  recordOf(Date.now(), { model, energy_j: kwh * KWH, latency_ms: 0, ...rest }, n++);

test("answers what a model cost, and how much of it was idle", async () => {
  const aggregator = await freshAggregator();
  await aggregator.putTariff(tariff(0.5), []);
  await new Promise((resolve) => setTimeout(resolve, 2));
  await read(aggregator, [0, 0, 0], 0, ["big:latest"]);
  await aggregator.ingest([record("big", 2), record("big:latest", 1), record("small", 0.5)]);
  await read(aggregator, [4, 3, 0], 0, ["big:latest", "small"]);
  await read(aggregator, [4, 5, 1], 0, []);
  const { rows, total, currency, by } = await costsOf(aggregator);
  expect([by, currency]).toEqual(["model", "EUR"]);
  expect(
    rows.map((row) => [row.group, row.request_cost, row.standing_cost, row.cost, row.unused_share]),
  ).toEqual([
    ["big", 1.5, 2, 3.5, 0.571428571429], // 3 kWh alone in memory, then 1 of 2
    ["small", 0.25, 0.5, 0.75, 0.666666666667],
    [null, 0, 0, 0.75, 0.666666666667], // half a kWh of no request, and 1 idle
  ]);
  expect(total).toMatchObject({
    energy_j: 10 * KWH,
    cost: 5,
    co2_g: 5_000,
    priced_energy_j: 10 * KWH,
  });
  const boxes = await costsOf(aggregator, { by: "box" });
  expect(rowOf(boxes, "atlas")).toMatchObject({
    energy_j: 10 * KWH,
    idle_cost: 0.5,
    unassigned_cost: 0.25,
  });
  const one = await costsOf(aggregator, { model: "big:latest" });
  expect(one.total).toMatchObject({ request_cost: 1.5, standing_cost: 2, idle_cost: null });
  expect((await costsOf(aggregator, { box: "nowhere" })).rows).toEqual([]);
});

test("sums survive a restart of the object, and are not counted twice", async () => {
  const aggregator = await freshAggregator();
  await aggregator.putTariff(tariff(0.5), []);
  await read(aggregator, [1, 1, 1], 0, ["big"]);
  await read(aggregator, [1, 2, 1], 0, ["small"]); // another inventory, so it is stored
  const before = await costsOf(aggregator);
  await evictDurableObject(aggregator);
  expect(await costsOf(aggregator)).toMatchObject({ rows: before.rows, total: before.total });
  await read(aggregator, [1, 2, 1], 0, ["small"]);
  expect((await costsOf(aggregator)).total).toEqual(before.total);
});

test("energy of a box that was cut off counts in the hours in which it was drawn", async () => {
  const aggregator = await freshAggregator();
  await read(aggregator, [0, 0, 48], 48 * 3_600, []);
  const days = await costsOf(aggregator, { by: "day" });
  expect(days.total.idle_energy_j).toBeCloseTo(48 * KWH, 3);
  expect(days.total).toMatchObject({ cost: null, priced_energy_j: 0 });
  expect(days.rows.length).toBeGreaterThanOrEqual(2);
  for (const { energy_j } of days.rows) expect(energy_j).toBeLessThan(24.1 * KWH);
  await evictDurableObject(aggregator);
  expect((await costsOf(aggregator, { by: "day" })).rows).toEqual(days.rows);
});

test("an hour of a box costs one row, and its readings none besides", async () => {
  const aggregator = await freshAggregator();
  await read(aggregator, [0, 0, 0], 0, []);
  const written = await runInDurableObject(
    aggregator,
    async (instance: Aggregator, { storage }) => {
      const changes = () => Number(storage.sql.exec("SELECT total_changes() AS n").one().n);
      const rows = () => Number(storage.sql.exec("SELECT count(*) AS n FROM energy_hours").one().n);
      const before = changes();
      for (let minute = 1; minute <= 20; minute++)
        await instance.read("atlas", {
          ...readingsOf(Date.now(), ["big", "small"]),
          gpu_energy: {
            meter_id: METER,
            gpus: [
              {
                index: 0,
                uuid: "GPU-1",
                name: "H100",
                energy: {
                  active: { joules: 0, seconds: 0 },
                  loaded: { joules: 0, seconds: 0 },
                  idle: { joules: minute, seconds: minute / 1_000 },
                },
              },
            ],
          },
        });
      return { changes: changes() - before, rows: rows() };
    },
  );
  // An hour may end during the test.
  expect(written.rows).toBeLessThanOrEqual(1);
  expect(written.changes).toBeLessThanOrEqual(1 + 2 * written.rows);
});

test("a box that is forgotten leaves its costs, and clearing the metrics deletes all", async () => {
  const aggregator = await freshAggregator();
  await aggregator.connected(helloOf("basil"));
  await aggregator.putTariff(tariff(1), []);
  await new Promise((resolve) => setTimeout(resolve, 2));
  await read(aggregator, [0, 0, 2], 0, [], "basil");
  await read(aggregator, [0, 0, 3], 0, []);
  await aggregator.ingest([record("big", 1)]);
  await aggregator.forgetBox("basil");
  const boxes = await costsOf(aggregator, { by: "box" });
  expect(boxes.rows.map(({ group, cost }) => [group, cost])).toEqual([
    ["atlas", 4],
    ["basil", 2],
  ]);
  await aggregator.clear("metrics");
  expect(await costsOf(aggregator)).toMatchObject({
    rows: [],
    total: { cost: null, energy_j: null },
  });
  await evictDurableObject(aggregator);
  expect((await costsOf(aggregator)).rows).toEqual([]);
  // Only what is drawn from now on.
  await read(aggregator, [0, 0, 3.5], 0, []);
  expect((await costsOf(aggregator)).total.idle_energy_j).toBeCloseTo(0.5 * KWH, 3);
});

test("the currency cannot change while a box has costs, even without requests", async () => {
  const aggregator = await freshAggregator();
  await aggregator.putTariff(tariff(1), []);
  await new Promise((resolve) => setTimeout(resolve, 2));
  await read(aggregator, [0, 0, 1], 0, []);
  expect(await aggregator.putTariff({ ...tariff(1), currency: "USD" }, [])).toEqual({
    reason: "currency_in_use",
    currency: "EUR",
  });
});

test("requests keep their costs for 13 months, when their cells are gone", async () => {
  const aggregator = await freshAggregator();
  await aggregator.putTariff(tariff(0.5), []);
  const DAY_MS = 86_400_000;
  await new Promise((resolve) => setTimeout(resolve, 2));
  await aggregator.ingest([record("big", 2), record("small", 1), record("big", 3)]);
  await aggregator.dataSummary(); // writes the cells
  const before = await costsOf(aggregator);
  const after = async (days: number) =>
    runInDurableObject(aggregator, async (_instance: Aggregator, { storage }) => {
      const ledger = new Ledger(storage.sql, new Forgotten(storage.sql));
      const samples = new SampleStore(storage.sql);
      const energyHours = new EnergyHours(storage.sql, () => null);
      const audit = new AuditLog(storage.sql, () => null);
      const stores = {
        cells: new CellStore(storage.sql),
        keyHours: new KeyHours(storage.sql, Date.now()),
        energyHours,
        ledger,
        samples,
        outbox: new Outbox(storage.sql, { ledger, samples, energy: energyHours, audit }),
        audit,
        events: new EventStore(storage.sql),
        moves: new Moves(storage.sql),
      };
      keepHouse(storage, stores, Date.now() + days * DAY_MS);
      return { hours: [...stores.energyHours.since(0)].length, cells: stores.cells.summary().rows };
    });
  await after(8);
  expect((await after(92)).cells).toBe(0);
  const kept = await costsOf(aggregator);
  expect(kept.rows).toEqual(before.rows);
  expect(kept.total).toEqual(before.total);
  expect((await after(399)).hours).toBe(1);
  expect((await after(92 + 401)).hours).toBe(0);
});
