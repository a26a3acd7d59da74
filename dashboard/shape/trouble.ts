/** Trouble as the tab of the browser shows it, whose page may be hidden: in its title and icon. Pure. */
import type { Concern } from "../../protocol/concern.ts";

export type Trouble = { tone: "none" | "warn" | "bad"; count: number };

/** @param isOffline  the edge does not answer, so nothing else is known */
export function troubleOf(concerns: readonly Concern[], isOffline: boolean): Trouble {
  if (isOffline) return { tone: "bad", count: 1 };
  const degrading = concerns.filter(({ code }) => code !== "no_box" && code !== "latency_high");
  if (degrading.length === 0) return { tone: "none", count: 0 };
  const isBad = degrading.some(({ severity }) => severity === "critical");
  return { tone: isBad ? "bad" : "warn", count: degrading.length };
}

export const titleOf = (page: string, { count }: Trouble, isSimulated: boolean): string =>
  `${count > 0 ? `(${count}) ` : ""}${isSimulated ? "[simulated] " : ""}${page} · ollama-edge-serve`;

const DOTS = { warn: "#e0a100", bad: "#e5484d" } as const;

/** Returns the icon as the address of an image; null: the usual one. */
export function iconOf({ tone }: Trouble): string | null {
  if (tone === "none") return null;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b6b4a"/><g fill="none" stroke-linecap="round" stroke-width="3.2"><circle cx="11" cy="16" r="5" stroke="#fff"/><path d="M16.5 16h4" stroke="#fff"/><path d="M22 7.5a10.5 10.5 0 0 1 0 17" stroke="#7fe3b8"/></g><circle cx="24" cy="8" r="8" fill="${DOTS[tone]}" stroke="#fff" stroke-width="2"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
