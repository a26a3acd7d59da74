/** Joules and money of an hour are the same in the API, its export, the metrics and both stores. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { Costs, CostsQuery } from "../../protocol/api/costs.ts";
import { Tariff } from "../../protocol/tariff.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { Tariffs } from "../../worker/aggregator/tariffs.ts";
import { costsExport } from "../../worker/answers/export.ts";
import { parseExposition } from "../support/exposition-parser.ts";
import { helloOf, readingsOf, recordOf } from "../support/records.ts";
import { type FreshStores, freshStores } from "./fresh-stores.ts";

const HOUR_MS = 3_600_000;
const KWH = 3.6e6;
const BOX = `costs-${crypto.randomUUID()}`;
const NOW = Date.now();
/** The start of the last whole hour. */
const HOUR = Math.floor(NOW / HOUR_MS) * HOUR_MS - HOUR_MS;
const iso = (ms: number) => new Date(ms).toISOString();

/** Each hour of the day has a price of its own. */
const TARIFF = Tariff.parse({
  currency: "EUR",
  default: {
    time_zone: "Europe/Berlin",
    prices: Array.from({ length: 24 }, (_, hour) => ({
      from: hour,
      to: hour + 1,
      price_per_kwh: 0.1 + hour / 100,
    })),
    co2_g_per_kwh: 400,
  },
});

let stores: FreshStores;
/** The answers of the edge, by the name of the question. */
let answers: Awaited<ReturnType<typeof answersOf>>;

const costs = async (edge: Aggregator, query: object): Promise<Costs> =>
  Costs.parse(await edge.costs(CostsQuery.parse({ box: BOX, ...query })));

async function answersOf(edge: Aggregator) {
  const span = { from: iso(HOUR), to: iso(HOUR + HOUR_MS) };
  const all = { from: iso(NOW - 6 * HOUR_MS) };
  return {
    models: await costs(edge, { by: "model", ...all }),
    modelsOfHour: await costs(edge, { by: "model", ...span }),
    hour: await costs(edge, { by: "box", ...span }),
    metrics: edge.exposition(false),
    logs: (await edge.logs({ limit: 10, box: BOX })).logs,
  };
}

/** Runs alarms until no records wait. */
async function flush(edge: Aggregator): Promise<void> {
  for (let rounds = 0; rounds < 100; rounds++) {
    await edge.alarm();
    const waiting = edge.observed().stores;
    if (waiting.every(({ health }) => health.backlog === 0 && health.state === "ok")) return;
    await scheduler.wait(100); // for the interval of exports
  }
  throw new Error(JSON.stringify(edge.observed()));
}

/** Works with an Aggregator that writes to the databases of this test. */
const withEdge = <Answer>(work: (edge: Aggregator) => Promise<Answer>): Promise<Answer> =>
  runInDurableObject(env.AGGREGATOR.getByName(BOX), async (_, state) => {
    const bindings = { ...env, ...stores.variables, METRICS_EXPORT_INTERVAL: "1" };
    return work(new Aggregator(state, bindings));
  });

beforeAll(async () => {
  stores = await freshStores();
  await runInDurableObject(env.AGGREGATOR.getByName(BOX), (_, { storage }) =>
    new Tariffs(storage).put(TARIFF, NOW - 24 * HOUR_MS),
  );
  answers = await withEdge(async (edge) => {
    await fill(edge);
    await flush(edge);
    return answersOf(edge);
  });
});

/** Reports four requests of the hour, and the energy of four hours at once. */
async function fill(edge: Aggregator): Promise<void> {
  edge.connected(helloOf(BOX));
  const requests = [
    ["big", 120_000],
    ["big", 30_500],
    ["small", 8_250.5],
    ["small", null],
  ] as const;
  await edge.read(BOX, readingsOf(NOW, ["big", "small"], [], ["big", "small"]));
  await edge.ingest(
    requests.map(([model, energy_j], n) =>
      recordOf(
        HOUR + 60_000 * (n + 1),
        { box: BOX, model, energy_j, energy_method: energy_j === null ? null : "instant" },
        n,
      ),
    ),
  );
  const seconds = 4 * 3_600;
  const of = (joules: number) => ({ joules, seconds: seconds / 3 });
  const energy = { active: of(800_000), loaded: of(400_000), idle: of(2_000_000) };
  await edge.read(BOX, {
    ...readingsOf(NOW, ["big", "small"], [], ["big", "small"]),
    gpu_energy: {
      meter_id: crypto.randomUUID(),
      gpus: [{ index: 0, uuid: "GPU-1", name: "H100", energy }],
    },
  });
}

const close = (value: unknown, expected: number | null | undefined, name: string) => {
  expect(expected, name).not.toBeNull();
  expect(Number(value) / Number(expected), name).toBeCloseTo(1, 9);
};

test("requests and idle energy add up to what the meter counted", async () => {
  const { total, rows } = answers.models;
  close(total.energy_j, 3_200_000, "the integral");
  const parts = ["request", "standing", "idle", "unassigned"] as const;
  const sum = parts.reduce((joules, part) => joules + (total[`${part}_energy_j`] ?? 0), 0);
  close(sum, 3_200_000, "the parts");
  expect(rows.map(({ group }) => group)).toEqual(["big", "small", null]);
});

test("both stores have the joules, the cost and the CO2 of the hour that the API shows", async () => {
  const { total } = answers.hour;
  const byModel = answers.modelsOfHour;
  close(total.energy_j, 800_000, "a quarter of four hours");
  const price = 0.1 + berlinHour(HOUR) / 100;
  close(total.cost, (800_000 / KWH) * price, "the price of that hour");
  const { ask } = stores;
  const at = iso(HOUR).replace("T", " ").replace(".000Z", "");
  const tables = {
    clickhouse: [
      "energy_hours FINAL",
      "requests FINAL",
      "requests_minutes",
      "timestamp",
      "toDateTime64('",
      "', 3, 'UTC')",
    ],
    postgres: [
      "energy_hours",
      "request_logs",
      "request_minutes",
      "created_at",
      "timestamptz '",
      "+00'",
    ],
  } as const;
  for (const name of ["clickhouse", "postgres"] as const) {
    const [hours, requests, minutes, started, open, end] = tables[name];
    const hour = `${open}${at}${end}`;
    const rows: Record<string, unknown>[] = await ask[name](
      `SELECT state, model, energy_j, cost, cost_currency, priced_j, co2_g, simulated FROM ${hours}
        WHERE box = '${BOX}' AND hour = ${hour} ORDER BY state, model`,
    );
    expect(
      rows.map(({ state, model }) => [state, model]),
      name,
    ).toEqual([
      ["active", ""],
      ["idle", ""],
      ["loaded", "big"],
      ["loaded", "small"],
    ]);
    const sumOf = (column: string, state?: string) =>
      rows.reduce(
        (sum: number, row) =>
          sum + (state === undefined || row.state === state ? Number(row[column]) : 0),
        0,
      );
    close(sumOf("energy_j"), total.energy_j, `${name} energy`);
    close(sumOf("cost"), total.cost, `${name} cost`);
    close(sumOf("co2_g"), total.co2_g, `${name} CO2`);
    close(sumOf("priced_j"), total.priced_energy_j, `${name} priced`);
    close(sumOf("cost", "idle"), total.idle_cost, `${name} idle`);
    close(sumOf("energy_j", "loaded"), total.standing_energy_j, `${name} standing`);
    expect(
      new Set(rows.map(({ cost_currency, simulated }) => `${cost_currency} ${simulated}`)),
    ).toEqual(new Set(["EUR false"]));
    for (const { group, standing_cost, request_energy_j, request_cost } of byModel.rows) {
      if (group === null) continue;
      const own = rows.filter(({ model }) => model === group);
      close(
        own.reduce((sum: number, { cost }) => sum + Number(cost), 0),
        standing_cost,
        `${name} ${group}`,
      );
      for (const [table, time] of [
        [requests, started],
        [minutes, "minute"],
      ] as const) {
        const toTime = table === minutes && name === "clickhouse" ? `toDateTime(${hour})` : hour;
        const [sums] = await ask[name](
          `SELECT sum(energy_j) AS j, sum(cost) AS money, sum(co2_g) AS co2 FROM ${table}
            WHERE box = '${BOX}' AND model = '${group}' AND ${time} >= ${toTime}`,
        );
        close(sums?.j, request_energy_j, `${name} ${table} energy of ${group}`);
        close(sums?.money, request_cost, `${name} ${table} cost of ${group}`);
        close(sums?.co2, ((request_energy_j ?? 0) / KWH) * 400, `${name} ${table} CO2 of ${group}`);
      }
    }
  }
});

test("the metrics have the same sums as the API, over all hours", async () => {
  const { total, rows } = answers.models;
  const families = parseExposition(answers.metrics, false);
  const sumOf = (name: string, labels: Record<string, string> = {}) =>
    (families.get(name)?.series ?? [])
      .filter((series) =>
        Object.entries(labels).every(([label, value]) => series.labels[label] === value),
      )
      .reduce((sum, { value }) => sum + value, 0);
  close(sumOf("ollama_gpu_energy_joules_total"), total.energy_j, "joules");
  close(sumOf("ollama_box_cost_total", { currency: "EUR" }), total.cost, "cost");
  close(sumOf("ollama_box_cost_total", { state: "idle" }), total.idle_cost, "idle");
  close(sumOf("ollama_box_co2_grams_total"), total.co2_g, "CO2");
  for (const { group, request_cost, request_energy_j, standing_cost, standing_energy_j } of rows) {
    if (group === null) continue;
    const model = { model: group };
    close(sumOf("ollama_model_energy_joules_total", model), request_energy_j, group);
    close(sumOf("ollama_model_cost_total", model), request_cost, group);
    close(sumOf("ollama_model_standing_energy_joules_total", model), standing_energy_j, group);
    close(sumOf("ollama_model_standing_cost_total", model), standing_cost, group);
  }
});

test("the exports have the rows of the API, and the log the costs of its requests", async () => {
  const { rows } = answers.models;
  const linesOf = async (format: "csv" | "ndjson") =>
    new TextDecoder()
      .decode(await costsExport(format, rows).arrayBuffer())
      .trim()
      .split(/\r?\n/);
  const lines = await linesOf("ndjson");
  expect(lines.map((line) => JSON.parse(line))).toEqual(rows);
  expect(await linesOf("csv")).toHaveLength(rows.length + 1);
  const { logs } = answers;
  const ofLog = (model: string) =>
    logs.reduce((sum, entry) => sum + (entry.model === model ? (entry.cost ?? 0) : 0), 0);
  for (const { group, request_cost } of rows)
    if (group !== null) close(ofLog(group), request_cost, group);
});

test("a cleared edge has no energy in any store", async () => {
  const cleared = await withEdge(async (edge) => {
    await edge.clear("metrics");
    return costs(edge, {});
  });
  const { ask } = stores;
  for (const name of ["clickhouse", "postgres"] as const)
    expect(await ask[name](`SELECT 1 AS one FROM energy_hours WHERE box = '${BOX}'`)).toEqual([]);
  expect(cleared.rows).toEqual([]);
});

const berlinHour = (ms: number): number =>
  Number(
    new Intl.DateTimeFormat("en", {
      timeZone: "Europe/Berlin",
      hour: "2-digit",
      hourCycle: "h23",
    }).format(ms),
  );
