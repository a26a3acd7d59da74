import { vi } from "vitest";

/** Within the limit of a unit test, and far above what a busy machine needs. */
const LIMIT_MS = 25_000;

/** Repeats a check until it passes. Vitest's own limit of 1 s measures the machine. */
export const waitFor = <Result>(check: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(check, { timeout: LIMIT_MS, interval: 10 });
