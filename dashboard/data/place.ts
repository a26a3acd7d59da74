/** Where the viewer is: the page and its query, from the address. */
import { signal } from "@preact/signals";
import { hashOf, type Page, routeOf } from "../shape/route.ts";

export const place = signal(routeOf(location.hash));

addEventListener("hashchange", () => {
  place.value = routeOf(location.hash);
});

/** The same page with another query. Not a step to go back to: filters change with every letter. */
export function stay(page: Page, query: Record<string, string | undefined>): void {
  history.replaceState(null, "", hashOf(page, query));
  place.value = routeOf(location.hash);
}
