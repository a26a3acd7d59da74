/** The findings of `check` as text for a terminal. Pure. */
import type { Paint, Style } from "./paint.ts";

export type Finding = {
  ok: boolean;
  isRequired: boolean;
  part: string;
  detail: string;
  /** The next step; null if it works, or if the detail states it. */
  next: string | null;
};

const INDENT = " ".repeat(15);

export function findingLines(
  { ok, isRequired, part, detail, next }: Finding,
  paint: Paint,
): string[] {
  const [word, style]: [string, Style] = ok
    ? ["ok", "green"]
    : isRequired
      ? ["FAILED", "red"]
      : ["none", "dim"];
  const line = `${paint(word.padEnd(6), style)} ${part.padEnd(7)} ${detail}`;
  return next === null ? [line] : [line, `${INDENT}→ ${next}`];
}

export function verdictLine(failed: number, paint: Paint): string {
  if (failed === 0) return paint("Every required part works.", "bold");
  return paint(`${failed} ${failed === 1 ? "part" : "parts"} must be mended.`, "bold");
}
