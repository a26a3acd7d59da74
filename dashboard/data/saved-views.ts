/** The views that this browser has saved, kept in local storage. Its content is untrusted. */
import { signal } from "@preact/signals";
import { type SavedView, viewsIn, withView } from "../shape/saved-views.ts";

const NAME = "views";

export const savedViews = signal(stored());

export const saveView = (name: string): void =>
  keep(withView(savedViews.peek(), name, location.hash));

export const removeView = (name: string): void =>
  keep(savedViews.peek().filter((view) => view.name !== name));

function keep(views: SavedView[]): void {
  savedViews.value = views;
  localStorage.setItem(NAME, JSON.stringify(views));
}

function stored(): SavedView[] {
  try {
    return viewsIn(JSON.parse(localStorage.getItem(NAME) ?? "[]"));
  } catch {
    return [];
  }
}
