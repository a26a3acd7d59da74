/** The costs of a box with a simulated card, through agent, tunnel and edge. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SIMULATED_SMI } from "../../local/edge.ts";
import { Costs } from "../../protocol/api/costs.ts";
import { Boxes } from "../../protocol/api/fleet.ts";
import { Logs } from "../../protocol/api/logs.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { parseExposition } from "../support/exposition-parser.ts";
import { eventually, TestStack } from "../support/stack.ts";

const KWH = 3.6e6;
const PRICE = 0.5;
const CO2 = 400;

let stack: TestStack;
let ollama: SimulatedOllama;

beforeAll(async () => {
  ollama = await startSimulatedOllama({
    models: ["big:latest", "small:latest"],
    tokenMs: 10,
    loadMsPerGb: 0,
  });
  stack = await TestStack.start();
  const tariff = {
    currency: "EUR",
    default: { prices: [{ from: 0, to: 24, price_per_kwh: PRICE }], co2_g_per_kwh: CO2 },
  };
  const set = await fetch(`${stack.url}/api/tariff`, {
    method: "PUT",
    body: JSON.stringify(tariff),
  });
  expect(set.status).toBe(200);
  await stack.startAgent({
    name: "atlas",
    ollamaUrl: ollama.url,
    env: {
      NVIDIA_SMI: SIMULATED_SMI,
      SIMULATED: "1",
      SIMULATED_OLLAMA: ollama.url,
      SIMULATED_GPU: "h100",
    },
  });
  await eventually(
    async () => ((await stack.json("/api/gpu")) as { available: boolean }).available,
  );
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await ollama?.close();
});

const chat = async (model: string, tokens: number): Promise<void> => {
  const options = { num_predict: tokens };
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "x" }], options });
  await (await fetch(`${stack.url}/ollama/api/chat`, { method: "POST", body })).text();
};
const costsBy = async (by: string) => Costs.parse(await stack.json(`/api/costs?by=${by}`));
const meter = async () => {
  const [box] = Boxes.parse(await stack.json("/api/boxes")).boxes;
  const { active, loaded, idle } = box?.energy ?? {};
  return (active?.joules ?? 0) + (loaded?.joules ?? 0) + (idle?.joules ?? 0);
};
const near = (value: number | null | undefined, expected: number, share: number) =>
  expect(Math.abs((value ?? Number.NaN) / expected - 1)).toBeLessThan(share);

test("requests and idle time add up to the meter of the box, and are priced by the tariff", async () => {
  await Promise.all([chat("big", 60), chat("small", 40)]);
  await chat("big", 60);
  // The energy of a request follows some seconds after its answer, and unused time with the readings.
  const costs = await eventually(async () => {
    const before = await meter();
    const now = await costsBy("model");
    const isWhole = now.total.requests === 3 && (now.total.standing_energy_j ?? 0) > 0;
    return isWhole && before === (await meter()) && { ...now, metered: before };
  });
  const { total, rows, metered } = costs;
  near(total.energy_j, metered, 0.01);
  const sum = [
    total.request_energy_j,
    total.standing_energy_j,
    total.idle_energy_j,
    total.unassigned_energy_j,
  ].reduce<number>((joules, part) => joules + (part ?? 0), 0);
  near(sum, metered, 0.01);
  near(total.cost, ((total.energy_j ?? 0) / KWH) * PRICE, 1e-9);
  near(total.co2_g, ((total.energy_j ?? 0) / KWH) * CO2, 1e-9);
  expect(rows.map(({ group }) => group)).toEqual(expect.arrayContaining(["big", "small"]));
  const { logs } = Logs.parse(await stack.json("/api/stats/logs"));
  for (const { group, request_energy_j, request_cost, requests } of rows) {
    if (group === null) continue;
    const own = logs.filter(({ model }) => model === group);
    expect(own).toHaveLength(requests);
    const joules = own.reduce((all, { energy_j }) => all + (energy_j ?? 0), 0);
    const cost = own.reduce((all, entry) => all + (entry.cost ?? 0), 0);
    expect(request_energy_j ?? 0).toBeCloseTo(joules, 6);
    expect(request_cost ?? 0).toBeCloseTo(cost, 9);
    for (const entry of own)
      if (entry.energy_j !== null) near(entry.cost, (entry.energy_j / KWH) * PRICE, 1e-9);
  }
  const families = parseExposition(await (await fetch(`${stack.url}/api/metrics`)).text(), false);
  const counted = (families.get("ollama_model_cost_total")?.series ?? []).reduce(
    (all, { value }) => all + value,
    0,
  );
  expect(counted).toBeCloseTo(total.request_cost ?? 0, 9);
});

test("a day and a month have the same costs as the models of that time", async () => {
  const [days, months, csv] = await Promise.all([
    costsBy("day"),
    costsBy("month"),
    fetch(`${stack.url}/api/costs?by=box&format=csv`),
  ]);
  expect(days.rows.length).toBeGreaterThan(0);
  expect(months.rows.map(({ group }) => group)).toEqual([days.rows.at(-1)?.group?.slice(0, 7)]);
  expect(days.total.request_cost ?? 0).toBeCloseTo(months.total.request_cost ?? 0, 9);
  const [head, line] = (await csv.text()).split("\r\n");
  expect(head).toMatch(/^group,requests,energy_requests,/);
  expect(line).toMatch(/^atlas,/);
});
