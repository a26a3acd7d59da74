/** The state of a bench, built from its events, and its figures as text. Pure. */
import type { BenchEvent } from "../../protocol/api/bench.ts";
import { duration, short } from "./format.ts";

export type RunningBench = {
  box: string;
  model: string;
  state: "running" | "done" | "failed" | "stopped";
  /** 0 to 100; null before it begins. */
  percent: number | null;
  /** The current step, or why it failed. */
  text: string;
};

export const newBench = (box: string, model: string): RunningBench => ({
  box,
  model,
  state: "running",
  percent: null,
  text: "Starting",
});

export function afterBenchEvent(bench: RunningBench, event: BenchEvent): RunningBench {
  switch (event.state) {
    case "waiting":
      return {
        ...bench,
        text: `Waiting for an idle box: ${event.for}. Gives up in ${duration(event.left_ms)}.`,
      };
    case "running":
      return {
        ...bench,
        percent: (100 * event.done) / event.of,
        text: event.context === null ? "Loading the model" : `Prompts of ${event.context} tokens`,
      };
    case "done":
      return { ...bench, state: "done", percent: 100, text: "The result is in the table." };
    case "failed":
      return benchFailed(bench, event.error);
  }
}

export const benchFailed = (bench: RunningBench, error: string): RunningBench => ({
  ...bench,
  state: "failed",
  text: error,
});

/** Formats a change against the run before: +3.1 %. Empty without one. */
export function changeText(change: number | null | undefined): string {
  if (change === null || change === undefined) return "";
  const hundredths = 100 * change;
  const sign = hundredths > 0 ? "+" : hundredths < 0 ? "−" : "±";
  return `${sign}${short(Math.abs(hundredths))}\u202f%`;
}
