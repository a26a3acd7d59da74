/** Timers, as whoever has a clock hands them in. */

/** Calls `run` once after so many ms. @returns takes it back */
export type After = (ms: number, run: () => void) => () => void;

/** Of this process, and no reason for it to live on. */
export const after: After = (ms, run) => {
  const timer = setTimeout(run, ms).unref();
  return () => clearTimeout(timer);
};
