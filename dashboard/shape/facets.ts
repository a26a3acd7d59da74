/** The facets beside the request list: their values with counts, in an order that stays. Pure. */
import type { Facet } from "../../protocol/api/log-facets.ts";
import type { CallKind } from "../../protocol/call-kind.ts";
import type { Status } from "../../protocol/records.ts";

export const FACET_TITLES: Record<Facet, string> = {
  status: "Status",
  model: "Model",
  box: "Box",
  key: "Key",
  kind: "Kind",
};
export const FACET_NAMES = Object.keys(FACET_TITLES) as Facet[];

export const STATUS_NAMES: Record<Status, string> = {
  success: "Success",
  error: "Error",
  cancelled: "Cancelled",
};

export const KIND_NAMES: Record<CallKind, string> = {
  chat: "Chat",
  generate: "Generate",
  embed: "Embed",
  images: "Images",
  audio: "Audio",
  manage: "Change of models",
  read: "List or version",
};

export type FacetValue = { value: string; name: string; requests: number };

/** Returns the name of a value as people read it. */
export function valueName(facet: Facet, value: string, name?: string | null): string {
  if (facet === "status") return STATUS_NAMES[value as Status] ?? value;
  if (facet === "kind") return KIND_NAMES[value as CallKind] ?? value;
  return name ?? value;
}

/**
 * Keeps the values in the order that they had before, with new ones last: nobody can press a value that
 * jumps when its count rises. Values without requests stay with 0, and so does the chosen one.
 */
export function steadyValues(
  before: readonly FacetValue[],
  latest: readonly FacetValue[],
  chosen: FacetValue | null,
): FacetValue[] {
  const counts = new Map(latest.map((each) => [each.value, each]));
  const known = before.map((each) => counts.get(each.value) ?? { ...each, requests: 0 });
  const names = new Set(before.map(({ value }) => value));
  const all = [...known, ...latest.filter(({ value }) => !names.has(value))];
  return chosen === null || all.some(({ value }) => value === chosen.value)
    ? all
    : [...all, chosen];
}
