/**
 * The open requests of each box, as its agent last listed them. In memory only: they describe one
 * moment, and the next readings list them again.
 */
import type { OpenRequest } from "../../protocol/inventory.ts";
import { READINGS_WATCHED_MS } from "../../protocol/limits.ts";

/**
 * Agents list their requests only while somebody watches. An older list does not describe the
 * present.
 */
const PRESENT_MS = 2 * READINGS_WATCHED_MS + 1_000;

export type ListedRequest = OpenRequest & { box: string };

export class ListedRequests {
  readonly #listed = new Map<string, { requests: readonly OpenRequest[]; atMs: number }>();

  report(box: string, requests: readonly OpenRequest[], nowMs: number): void {
    if (requests.length === 0) this.#listed.delete(box);
    else this.#listed.set(box, { requests, atMs: nowMs });
  }

  /** Returns the requests of the boxes that are up, oldest first. */
  of(isUp: ReadonlySet<string>, nowMs: number): ListedRequest[] {
    return [...this.#listed]
      .filter(([box, { atMs }]) => isUp.has(box) && nowMs - atMs <= PRESENT_MS)
      .flatMap(([box, { requests }]) => requests.map((request) => ({ ...request, box })))
      .sort((a, b) => (a.started_at < b.started_at ? -1 : 1));
  }
}
