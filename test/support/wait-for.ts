import { vi } from "vitest";
import { CONDITION_MS } from "./patience.ts";

/** Repeats a check until it passes. Vitest's own limit of 1 s measures the machine. */
export const waitFor = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: CONDITION_MS, interval: 10 });
