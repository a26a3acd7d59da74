/** The agent's id: random, created once, kept in the state folder. */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

/** Reads the id or creates one. A damaged file is replaced: an id has to be stable, not old. */
export function agentIdIn(stateDir: string): string {
  const path = join(stateDir, "agent-id");
  try {
    const kept = z.uuid().safeParse(readFileSync(path, "utf8").trim());
    if (kept.success) return kept.data;
  } catch {
    // first start
  }
  const id = randomUUID();
  writeFileSync(path, `${id}\n`, { mode: 0o600 });
  return id;
}
