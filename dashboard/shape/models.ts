/** Model names, and when a model unloads. Pure. */
import { DAY_MS } from "../../protocol/day.ts";
import { duration } from "./format.ts";

const withTag = (name: string): string =>
  name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`;

/** Returns the name as callers write it: without the tag that Ollama assumes. */
export const untagged = (name: string): string => name.replace(/:latest$/, "");

/** Treats `a` and `a:latest` as the same model. */
export const isSameModel = (a: string, b: string): boolean => withTag(a) === withTag(b);

/** Ollama reports an expiry centuries away for a model that stays loaded. */
const FOREVER_MS = 365 * DAY_MS;

export function expiryText(expiresAt: string, nowMs: number): string {
  const leftMs = Date.parse(expiresAt) - nowMs;
  if (Number.isNaN(leftMs)) return "";
  if (leftMs > FOREVER_MS) return "stays loaded";
  return leftMs <= 0
    ? "unloading"
    : `unloads in ${duration(leftMs < 60_000 ? leftMs : Math.round(leftMs / 60_000) * 60_000)}`;
}
