/** The part of the URL after `#`: the page and its query. Pure. */

/** In the order of the navigation, which lacks the last two: lists lead to them. */
export const PAGES = [
  "overview",
  "requests",
  "boxes",
  "models",
  "system",
  "usage",
  "alerts",
  "chat",
  "connect",
  "keys",
  "settings",
  "box",
  "model",
] as const;
export type Page = (typeof PAGES)[number];

export type Route = { page: Page; query: Record<string, string> };

/** Parses a hash such as `#/requests?status=error`. An unknown page becomes the overview. */
export function routeOf(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const page = PAGES.find((each) => each === path) ?? "overview";
  return { page, query: Object.fromEntries(new URLSearchParams(search)) };
}

export function hashOf(page: Page, query: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== "") search.set(name, value);
  const path = page === "overview" ? "" : page;
  return search.size === 0 ? `#/${path}` : `#/${path}?${search}`;
}
