/** One-shot timers as a function type, so that tests and the simulation can replace the clock. */

/** Calls `run` once after `ms` milliseconds. Returns a function that cancels it. */
export type After = (ms: number, run: () => void) => () => void;

/** Node's timer, which does not keep the process alive. */
export const after: After = (ms, run) => {
  const timer = setTimeout(run, ms).unref();
  return () => clearTimeout(timer);
};
