/**
 * Chooses the box for calls that change models, so that all calls of one client's operation are on one
 * box: a blob that was uploaded to one is missing on every other. Pure.
 */
import { ONLY_HOLDER_MS } from "../../protocol/limits.ts";
import type { FleetBox } from "../aggregator/fleet-box.ts";
import { type BoxChoice, holds } from "./choose.ts";

/** `from` is the model that a create begins with. `hasBlobs`: it takes files that were uploaded. */
export type ModelOperation = {
  endpoint: string;
  model: string | null;
  from: string | null;
  hasBlobs: boolean;
};

/** The only box that may serve a call, and the reason. */
export type OperationBox = Pick<BoxChoice, "box" | "reason">;

const OPERATIONS: ReadonlySet<string> = new Set([
  "/api/blobs/:digest",
  "/api/create",
  "/api/push",
  "/api/copy",
]);

export const isOperation = (endpoint: string): boolean => OPERATIONS.has(endpoint);

/**
 * @param homeOf  returns the box of several where the operations of this client are
 * @param nowMs   unix ms
 * @returns       null if any box serves the call as well, or none that is expected back can
 */
export function operationBox(
  { endpoint, model, from, hasBlobs }: ModelOperation,
  boxes: readonly FleetBox[],
  homeOf: (names: readonly string[]) => string | null,
  nowMs: number,
): OperationBox | null {
  if (boxes.length < 2 || !isOperation(endpoint)) return null;
  const here = boxes.filter(
    ({ state, last_seen_ms }) => state !== "down" || nowMs - last_seen_ms < ONLY_HOLDER_MS,
  );
  const reachable = here.filter(({ is_reachable }) => is_reachable);
  const able = reachable.length > 0 ? reachable : here;
  const needed = endpoint === "/api/create" ? (hasBlobs ? null : from) : model;
  const holders = needed === null ? [] : able.filter((box) => holds(box, needed));
  // Ollama pulls what a create begins with; any other missing model is its own error.
  if (needed !== null && holders.length === 0 && endpoint !== "/api/create") return null;
  const box = homeOf((holders.length > 0 ? holders : able).map(({ name }) => name));
  return box === null ? null : { box, reason: "operation" };
}

/**
 * Returns the box of several where the operations of a client are: the same one in every isolate, and
 * for most clients also after a box has come or gone.
 */
export function homeOf(client: string, names: readonly string[]): string | null {
  const ranked = names.map((name) => ({ name, rank: hashOf(`${client}\n${name}`) }));
  ranked.sort((a, b) => b.rank - a.rank || (a.name < b.name ? -1 : 1));
  return ranked[0]?.name ?? null;
}

/** FNV-1a, with the bits mixed as MurmurHash does at its end: similar texts get unlike numbers. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
