/**
 * Gives the boxes of a new demo a history: writes it into their spools before their agents start, which then
 * deliver it like all that an edge has not confirmed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Spool } from "../agent/spool/spool.ts";
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
        ...{ method: "POST", path: endpoint, headers: [], keep_text: true },
        ...{ client_ip: record.client_ip, user_agent: record.user_agent },
        ...facts,
      },
    });
    spool.finish(record);
  }
  spool.close();
}
