/** The API key of this tab. Closing the tab discards it. */
import { signal } from "@preact/signals";

const NAME = "key";

export const key = signal<string | null>(sessionStorage.getItem(NAME));

/**
 * Null unless the page needs a key. Holds the reason the last key was rejected, or an empty string
 * if there was no key.
 */
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
