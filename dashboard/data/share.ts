/** Copies the link to the present view. */
import { signal } from "@preact/signals";

/** The outcome of the last copy, shown for a moment. */
export const shared = signal<"idle" | "copied" | "failed">("idle");

const SHOWN_MS = 2_000;

export async function shareView(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    shared.value = "copied";
  } catch {
    shared.value = "failed"; // the page is not served over TLS, or the permission is denied
  }
  setTimeout(() => {
    shared.value = "idle";
  }, SHOWN_MS);
}
