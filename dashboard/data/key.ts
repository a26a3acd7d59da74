/** The key of this tab. It is forgotten when the tab is closed. */
import { signal } from "@preact/signals";

const NAME = "key";

export const key = signal<string | null>(sessionStorage.getItem(NAME));

/** Why the page asks for a key; null while it does not. */
export const locked = signal<string | null>(null);

export function unlock(typed: string): void {
  sessionStorage.setItem(NAME, typed);
  key.value = typed;
  locked.value = null;
}

export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
  key.value = null;
}
