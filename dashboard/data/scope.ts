/** The scope of the page, read from the URL and written to it. */
import { computed } from "@preact/signals";
import { hashOf, type Page } from "../shape/route.ts";
import { nextComparison, type PageScope, paused, scopeOf, scopeQuery } from "../shape/scope.ts";
import { nowMs } from "./clock.ts";
import { place, replaceQuery } from "./place.ts";

export const scope = computed(() => scopeOf(place.value.query));

/** Changes the scope of this page, and keeps the rest of its query, except its place in a list. */
export function changeScope(changes: Partial<PageScope>): void {
  const { page, query } = place.peek();
  const { after: _, period: __, ...kept } = query;
  replaceQuery(page, { ...kept, ...scopeQuery({ ...scope.peek(), ...changes }) });
}

/** Holds the page still, or lets it follow the present again. */
export const togglePause = (): void => changeScope(paused(scope.peek(), nowMs.peek()));

/** Compares with the next of the periods that may be compared with. */
export const switchComparison = (): void =>
  changeScope({ compare: nextComparison(scope.peek().compare) });

/** The link to another page about the same requests, or about fewer of them. */
export const linkTo = (
  page: Page,
  changes: Partial<PageScope> = {},
  query: Record<string, string | undefined> = {},
): string => hashOf(page, { ...scopeQuery({ ...scope.value, ...changes }), ...query });
