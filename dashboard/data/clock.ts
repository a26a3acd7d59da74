/**
 * The current time, updated every second for ages and elapsed times. Stops while the page is
 * hidden.
 */
import { computed, signal } from "@preact/signals";

export const nowMs = signal(Date.now());
const MINUTE_MS = 60_000;
/** The start of the current minute, for what need not change every second. */
export const minuteMs = computed(() => Math.floor(nowMs.value / MINUTE_MS) * MINUTE_MS);
export const isVisible = signal(!document.hidden);

document.addEventListener("visibilitychange", () => {
  isVisible.value = !document.hidden;
  nowMs.value = Date.now();
});
setInterval(() => {
  if (!document.hidden) nowMs.value = Date.now();
}, 1_000);
