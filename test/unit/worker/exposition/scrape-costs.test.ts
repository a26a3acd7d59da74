import { expect, test } from "vitest";
import { Tariff } from "../../../../protocol/tariff.ts";
import { NO_SUMS } from "../../../../worker/counting/energy-hours.ts";
import { scrape } from "../../../../worker/exposition/scrape.ts";
import { render } from "../../../../worker/exposition/text.ts";
import { parseExposition, seriesValue } from "../../../support/exposition-parser.ts";
import { keyed, NOW, parts } from "./scrape-scene.ts";

const VERSIONS = [
  {
    since_ms: 0,
    tariff: Tariff.parse({
      currency: "EUR",
      default: { prices: [{ from: 0, to: 24, price_per_kwh: 0.25 }] },
      boxes: { basil: { prices: null } },
    }),
  },
];
const amount = (j: number, cost: number | null) => ({
  j,
  cost: cost ?? 0,
  cost_j: cost === null ? 0 : j,
  co2_g: 0,
  co2_j: 0,
});
const SPENT = [
  {
    box: "atlas",
    sums: {
      ...NO_SUMS,
      active: amount(300, 3),
      loaded: amount(200, 2),
      standing: [
        { model: "llama3.2", ...amount(150, 1.5) },
        { model: "mistral", ...amount(50, 0.5) },
      ],
    },
  },
];
const scraped = (rest: object) => parseExposition(render(scrape({ ...parts(), ...rest }), false));

test("shows what models and boxes cost, in the currency of the tariff", () => {
  const lifetime = [keyed("llama3.2", "atlas", { energy_j: 90, cost: 0.75, co2_g: 4 })];
  const families = scraped({ lifetime, spent: SPENT, versions: VERSIONS });
  const valueIn = (name: string, labels: Record<string, string>) =>
    seriesValue(families, name, labels);
  const currency = "EUR";
  const model = "llama3.2";
  const box = "atlas";
  expect(valueIn("ollama_model_cost_total", { model, box, currency })).toBe(0.75);
  expect(valueIn("ollama_model_co2_grams_total", { model, box })).toBe(4);
  expect(valueIn("ollama_model_standing_energy_joules_total", { model, box })).toBe(150);
  expect(valueIn("ollama_model_standing_cost_total", { model, box, currency })).toBe(1.5);
  expect(valueIn("ollama_box_cost_total", { box, state: "active", currency })).toBe(3);
  expect(valueIn("ollama_box_cost_total", { box, state: "loaded", currency })).toBe(2);
  expect(valueIn("ollama_energy_price_per_kwh", { box, currency })).toBe(0.25);
  // The price of the other box is unknown, and so is the CO2 of both.
  expect(families.get("ollama_energy_price_per_kwh")?.series).toHaveLength(1);
  expect(families.get("ollama_box_co2_grams_total")?.series).toEqual([]);
  expect(families.get("ollama_box_cost_total")?.series).toHaveLength(2);
});

test("shows a cost of 0, and none without a price", () => {
  const at = (cost: number | null) =>
    scraped({
      lifetime: [keyed("llama3.2", "atlas", { energy_j: 90, cost })],
      spent: [{ box: "atlas", sums: { ...NO_SUMS, idle: amount(10, cost) } }],
      versions: VERSIONS,
    });
  const free = at(0);
  expect(free.get("ollama_model_cost_total")?.series).toHaveLength(1);
  expect(
    seriesValue(free, "ollama_box_cost_total", { box: "atlas", state: "idle", currency: "EUR" }),
  ).toBe(0);
  const unknown = at(null);
  expect(unknown.get("ollama_model_cost_total")?.series).toEqual([]);
  expect(unknown.get("ollama_box_cost_total")?.series).toEqual([]);
});

test("shows no cost before a tariff was set", () => {
  const families = scraped({ spent: SPENT, nowMs: NOW });
  expect(families.get("ollama_box_cost_total")?.series).toEqual([]);
  expect(families.get("ollama_energy_price_per_kwh")?.series).toEqual([]);
  expect(families.get("ollama_model_standing_energy_joules_total")?.series).toHaveLength(2);
});
