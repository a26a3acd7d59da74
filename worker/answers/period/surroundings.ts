/** Other events of a stretch of time, as far as they explain why requests took longer. Pure. */
import type { MachineEvent } from "../../../protocol/events.ts";

/** The part of an event that explains something. */
export type NearEvent = Pick<MachineEvent, "kind" | "box" | "model" | "count" | "code"> & {
  atMs: number;
  lastMs: number;
  /** When its concern began; null without one. */
  sinceMs: number | null;
};

export type Stretched = { fromMs: number; toMs: number };

/** How long before a request something may have happened that explains it. */
const BEFORE_MS = 60_000;

const RESTARTS = ["ollama_back", "ollama_updated", "agent_restarted", "agent_updated"];
const CUTS = ["tunnel_cut", "tunnel_back"];

/** Returns how often the tunnel of a box was cut. */
export const cutsOf = (events: readonly NearEvent[], box: string, stretch: Stretched): number =>
  events
    .filter((event) => event.box === box && CUTS.includes(event.kind) && overlaps(event, stretch))
    .reduce((most, { count }) => Math.max(most, count), 0);

/** Returns when an Ollama or an agent was last started again, unix ms; null if it was not. */
export function restartOf(
  events: readonly NearEvent[],
  box: string,
  stretch: Stretched,
): { program: "Ollama" | "agent"; atMs: number } | null {
  const last = events
    .filter((event) => event.box === box && RESTARTS.includes(event.kind))
    .filter((event) => overlaps(event, stretch))
    .at(-1);
  if (last === undefined) return null;
  return { program: last.kind.startsWith("ollama") ? "Ollama" : "agent", atMs: last.atMs };
}

/** Returns the codes of the concerns about a box that were open at some time of the stretch. */
export function concernsIn(
  events: readonly NearEvent[],
  box: string,
  { fromMs, toMs }: Stretched,
): ReadonlySet<string> {
  const ofBox = events.filter((event) => event.box === box && event.code !== null);
  const open = new Map<string, number>();
  const codes = new Set<string>();
  for (const { kind, code, atMs, sinceMs } of ofBox.toSorted((a, b) => a.atMs - b.atMs)) {
    if (code === null) continue;
    if (kind === "concern_opened") open.set(code, sinceMs ?? atMs);
    else if (kind === "concern_closed") {
      const beganMs = sinceMs ?? open.get(code) ?? Number.NEGATIVE_INFINITY;
      if (beganMs <= toMs && atMs >= fromMs) codes.add(code);
      open.delete(code);
    }
  }
  for (const [code, beganMs] of open) if (beganMs <= toMs) codes.add(code);
  return codes;
}

const overlaps = ({ atMs, lastMs }: NearEvent, { fromMs, toMs }: Stretched): boolean =>
  atMs <= toMs && lastMs >= fromMs - BEFORE_MS;
