/** The current page and its query, read from the URL. */
import { signal } from "@preact/signals";
import { hashOf, type Page, routeOf } from "../shape/route.ts";

export const place = signal(routeOf(location.hash));

addEventListener("hashchange", () => {
  place.value = routeOf(location.hash);
});

/**
 * Replaces the query of the current page. Adds no history entry, because filters change with every
 * keystroke.
 */
export function replaceQuery(page: Page, query: Record<string, string | undefined>): void {
  history.replaceState(null, "", hashOf(page, query));
  place.value = routeOf(location.hash);
}
