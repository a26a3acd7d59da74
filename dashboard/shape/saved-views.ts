/** Views that a person has named: the page with its scope and filters, as a link. Pure. */
import { hashOf, routeOf } from "./route.ts";

export type SavedView = { name: string; hash: string };

/** More would not be found again. */
export const VIEWS_MAX = 50;
const NAME_CHARS_MAX = 60;

/** Parses the stored views, and leaves out invalid ones. */
export function viewsIn(value: unknown): SavedView[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, VIEWS_MAX).flatMap((each: unknown) => {
    const { name, hash }: { name?: unknown; hash?: unknown } =
      typeof each === "object" && each !== null ? each : {};
    const isView = typeof name === "string" && name !== "" && typeof hash === "string";
    return isView ? [{ name: name.slice(0, NAME_CHARS_MAX), hash: viewHash(hash) }] : [];
  });
}

/** Returns the link without the opened request and the place in a list, which soon lead nowhere. */
export function viewHash(hash: string): string {
  const { page, query } = routeOf(hash);
  const { open: _, after: __, ...kept } = query;
  return hashOf(page, kept);
}

/** A view with the same name is replaced. The newest is the first. */
export function withView(views: readonly SavedView[], name: string, hash: string): SavedView[] {
  const view = { name: name.trim().slice(0, NAME_CHARS_MAX), hash: viewHash(hash) };
  return view.name === ""
    ? [...views]
    : [view, ...views.filter((each) => each.name !== view.name)].slice(0, VIEWS_MAX);
}
