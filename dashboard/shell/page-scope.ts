/** The parts of the scope that each page follows, and the time that it shows unless one is chosen. */
import { preferences } from "../data/preferences.ts";
import { CALENDAR_TIMES } from "../shape/calendar.ts";
import type { Page } from "../shape/route.ts";
import { EVERYTHING, type ScopeTime, secondsOf } from "../shape/scope.ts";

export type PageScopeUse = {
  narrows: readonly ("box" | "model" | "key")[];
  /** Null: the page is not about a time. */
  time: "preferred" | "any" | "month" | null;
  /** True if it draws the period that it is compared with. */
  isCompared: boolean;
};

const NOTHING: PageScopeUse = { narrows: [], time: null, isCompared: false };
const EVERY_PART = ["box", "model", "key"] as const;

const USES: Partial<Record<Page, PageScopeUse>> = {
  overview: { narrows: EVERY_PART, time: "preferred", isCompared: true },
  requests: { narrows: EVERY_PART, time: "any", isCompared: true },
  usage: { narrows: EVERY_PART, time: "month", isCompared: true },
  system: { narrows: ["box"], time: "preferred", isCompared: false },
  box: { narrows: EVERY_PART, time: "preferred", isCompared: true },
  model: { narrows: EVERY_PART, time: "preferred", isCompared: true },
  alerts: { narrows: ["box"], time: null, isCompared: false },
};

export const scopeUseOf = (page: Page): PageScopeUse => USES[page] ?? NOTHING;

export function usualTime(time: NonNullable<PageScopeUse["time"]>, nowMs: number): ScopeTime {
  if (time === "any") return EVERYTHING;
  if (time === "month") return CALENDAR_TIMES["This month"](nowMs);
  return { ...EVERYTHING, seconds: secondsOf(preferences.value.range) };
}
