/** The stores that the edge writes to, as `/api/health` tells of them. An edge without stores says nothing. */
import type { Health } from "../../protocol/api/fleet.ts";

export type Sink = {
  name: string;
  state: "ok" | "behind" | "failing";
  /** Rows that wait; null: not known. */
  backlog: number | null;
  last_success: string | null;
  last_error: string | null;
};

export const sinksOf = (health: Health & { sinks?: readonly Sink[] }): readonly Sink[] => health.sinks ?? [];
