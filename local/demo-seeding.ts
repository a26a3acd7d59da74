/**
 * Gives a new demo a price of power, and its boxes a history: writes it into their spools before their agents
 * start, which then deliver it like all that an edge has not confirmed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { Spool } from "../agent/spool/spool.ts";
import type { Tariff } from "../protocol/tariff.ts";
import { demoHistory } from "./demo-history.ts";
import type { SimulatedBox } from "./simulation.ts";

/** @param folder  state of the agent. One that has a spool has a history of its own */
export function seedHistory(box: SimulatedBox, folder: string, nowMs: number): void {
  const path = join(folder, "spool");
  if (existsSync(path)) return;
  const spool = Spool.open(path, { now: Date.now, log: () => {} });
  for (const record of demoHistory(box, nowMs)) {
    const { endpoint, api, model, stream, started_at, prompt, source } = record;
    const facts = { endpoint, api, model, stream, started_at, edge_ms: null, key_id: null };
    spool.begin({
      request_id: record.request_id,
      box: box.name,
      prompt,
      source,
      open: {
        method: "POST",
        path: endpoint,
        headers: [],
        keep_text: true,
        client_ip: record.client_ip,
        user_agent: record.user_agent,
        ...facts,
      },
    });
    spool.finish(record);
  }
  spool.close();
}

/** Power is cheaper at night. */
const DEMO_TARIFF: z.input<typeof Tariff> = {
  currency: "EUR",
  default: {
    time_zone: "Europe/Berlin",
    prices: [
      { from: 6, to: 22, price_per_kwh: 0.32 },
      { from: 22, to: 6, price_per_kwh: 0.24 },
    ],
    co2_g_per_kwh: 363,
  },
};

/** Sets a tariff unless one is set. Without one, every cost is unknown. */
export async function seedTariff(url: string, adminKey: string | null): Promise<void> {
  const path = `${url}/api/tariff`;
  const headers = {
    "content-type": "application/json",
    ...(adminKey === null ? {} : { authorization: `Bearer ${adminKey}` }),
  };
  const now = await (await fetch(path, { headers })).json();
  if (z.object({ tariff: z.null() }).safeParse(now).success)
    await fetch(path, { method: "PUT", headers, body: JSON.stringify(DEMO_TARIFF) });
}
