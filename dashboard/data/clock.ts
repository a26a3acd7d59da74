/**
 * The current time, updated every second for ages and elapsed times. Stops while the page is
 * hidden.
 */
import { signal } from "@preact/signals";

export const nowMs = signal(Date.now());
export const isVisible = signal(!document.hidden);

document.addEventListener("visibilitychange", () => {
  isVisible.value = !document.hidden;
  nowMs.value = Date.now();
});
setInterval(() => {
  if (!document.hidden) nowMs.value = Date.now();
}, 1_000);
