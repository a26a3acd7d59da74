/** The metric families of keys, a part of the table in `metrics.ts`, and their samples. */
import { sumOf } from "../counting/cell.ts";
import type { KeyCell } from "../counting/key-cells.ts";
import { currencyOf, type TariffVersion } from "../counting/pricing.ts";
import { stateOf } from "../keys/ends.ts";
import { CONFIGURED_KEY_IDS, keyNameOf } from "../keys/names.ts";
import type { IssuedKey } from "../keys/policy.ts";
import type { Family } from "./family.ts";
import type { Sample } from "./text.ts";

/** Each has eight lines. */
export const KEYS_SHOWN_MAX = 200;

export const KEY_METRICS = {
  keyInfo: {
    type: "gauge",
    name: "ollama_key_info",
    help: `Always 1; the name of a key is a label. Metrics of keys cover the ${KEYS_SHOWN_MAX} valid keys with the most requests.`,
    labels: ["key", "name"],
  },
  keyRequests: {
    type: "counter",
    name: "ollama_key_requests_total",
    help: "Requests by key and status (success, error or cancelled).",
    labels: ["key", "status"],
  },
  keyTokens: {
    type: "counter",
    name: "ollama_key_tokens_total",
    help: "Tokens by key and kind (prompt or completion).",
    labels: ["key", "kind"],
  },
  keyEnergy: {
    type: "counter",
    name: "ollama_key_energy_joules_total",
    help: "Energy of the requests of a key. No sample if unknown.",
    labels: ["key"],
  },
  keyCost: {
    type: "counter",
    name: "ollama_key_cost_total",
    help: "Cost of ollama_key_energy_joules_total. No sample without a tariff.",
    labels: ["key", "currency"],
  },
} as const satisfies Record<string, Family>;

export type KeyScrape = {
  keyCells: readonly KeyCell[];
  /** The keys that the edge made. */
  keys: readonly IssuedKey[];
  versions: readonly TariffVersion[];
  nowMs: number;
};

export function keySamples({
  keyCells,
  keys,
  versions,
  nowMs,
}: KeyScrape): Record<keyof typeof KEY_METRICS, Sample[]> {
  const currency = currencyOf(versions);
  const valid = new Map(keys.map((key) => [key.id, key]));
  for (const [id, key] of valid) if (stateOf(key, nowMs) !== "valid") valid.delete(id);
  const isShown = (id: string) => valid.has(id) || CONFIGURED_KEY_IDS.some((each) => each === id);
  const sums = [...Map.groupBy(keyCells, ({ key }) => key)]
    .filter(([key]) => isShown(key))
    .map(([key, cells]) => ({ key, cell: sumOf(cells.map(({ cell }) => cell)) }))
    .sort((a, b) => b.cell.total - a.cell.total)
    .slice(0, KEYS_SHOWN_MAX);
  return {
    keyInfo: sums.map(({ key }) => ({
      labels: [key, keyNameOf(key, (id) => valid.get(id) ?? null) ?? ""],
      value: 1,
    })),
    keyRequests: sums.flatMap(({ key, cell }) =>
      Object.entries(cell.requests).map(([status, value]) => ({ labels: [key, status], value })),
    ),
    keyTokens: sums.flatMap(({ key, cell }) => [
      { labels: [key, "prompt"], value: cell.promptTokens },
      { labels: [key, "completion"], value: cell.completionTokens },
    ]),
    keyEnergy: sums.flatMap(({ key, cell }) =>
      cell.energyRequests === 0 ? [] : [{ labels: [key], value: cell.energyJ }],
    ),
    keyCost: sums.flatMap(({ key, cell: { spent } }) =>
      currency === null || spent.costJ === 0
        ? []
        : [{ labels: [key, currency], value: spent.cost }],
    ),
  };
}
