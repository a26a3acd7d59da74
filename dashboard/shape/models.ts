/** Names of models, and when they leave memory. Pure. */
import { duration } from "./format.ts";

const withTag = (name: string): string =>
  name.slice(name.lastIndexOf("/") + 1).includes(":") ? name : `${name}:latest`;

/** `a` and `a:latest` are one model. */
export const isSameModel = (a: string, b: string): boolean => withTag(a) === withTag(b);

/** Ollama writes a time centuries away for a model that stays. */
const FOREVER_MS = 365 * 86_400_000;

export function expiryOf(expiresAt: string, nowMs: number): string {
  const leftMs = Date.parse(expiresAt) - nowMs;
  if (Number.isNaN(leftMs)) return "";
  if (leftMs > FOREVER_MS) return "stays";
  return leftMs <= 0
    ? "leaves now"
    : `leaves in ${duration(leftMs < 60_000 ? leftMs : Math.round(leftMs / 60_000) * 60_000)}`;
}
