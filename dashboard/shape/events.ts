/** Events in the groups in which people look for them. Pure. */
import type { Events } from "../../protocol/api/events.ts";
import type { EventKind } from "../../protocol/events.ts";

export const EVENT_GROUPS = [
  { name: "all", title: "All", kinds: [] },
  { name: "concerns", title: "Concerns", kinds: ["concern_opened", "concern_closed"] },
  {
    name: "tunnel",
    title: "Boxes",
    kinds: [
      "box_added",
      "tunnel_cut",
      "tunnel_back",
      "agent_restarted",
      "agent_updated",
      "edge_updated",
      "ollama_lost",
      "ollama_back",
      "ollama_updated",
    ],
  },
  { name: "disk", title: "Pulls", kinds: ["model_pulled", "model_deleted"] },
  { name: "memory", title: "Loads", kinds: ["model_loaded", "model_reloaded", "model_unloaded"] },
] as const satisfies { name: string; title: string; kinds: EventKind[] }[];
export type EventGroup = (typeof EVENT_GROUPS)[number]["name"];

/** Returns the kinds of a group as `/api/events` takes them; undefined: all. */
export function kindsOf(group: EventGroup): string | undefined {
  const kinds: readonly EventKind[] = EVENT_GROUPS.find(({ name }) => name === group)?.kinds ?? [];
  return kinds.length === 0 ? undefined : kinds.join(",");
}

/** Kinds after which requests may have failed. */
const LOSSES: ReadonlySet<EventKind> = new Set(["tunnel_cut", "ollama_lost"]);

/** Red: something failed. Amber: something waits for a person. */
export function toneOfEvent({ kind, severity }: Events["events"][number]): "bad" | "warn" | "note" {
  if (kind === "concern_opened") return severity === "critical" ? "bad" : "warn";
  return LOSSES.has(kind) ? "warn" : "note";
}
