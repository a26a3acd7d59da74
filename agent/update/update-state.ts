/**
 * Which file of the agent runs, and which one it falls back to. Pure.
 *
 * The installed file is never changed, so there is always one that has worked. A new file is on trial until its
 * agent has connected; whatever happens before that, the old one runs again.
 */
import * as z from "zod";
import { AgentFile, UpdateReport } from "../../protocol/update.ts";

export const UpdateState = z.object({
  /** Identifies the installed file. Another one, e.g. from `install.sh`, ends all updates of this one. */
  installed: z.string(),
  /** The file that runs, and the one before it. Null: the installed one. */
  current: AgentFile.nullable(),
  previous: AgentFile.nullable(),
  /** Runs, and has not proven itself yet. */
  trial: AgentFile.nullable(),
  /** Its process, so that it can be ended if it survives its supervisor. */
  trial_pid: z.int().nullable(),
  /** How often `current` has ended with an error before it connected, in a row. */
  failures: z.int().nonnegative(),
  report: UpdateReport.nullable(),
});
export type UpdateState = z.infer<typeof UpdateState>;

/** A file that worked once and fails as often as this in a row is given up. */
const FAILURES_MAX = 3;

export const newState = (installed: string): UpdateState => ({
  installed,
  current: null,
  previous: null,
  trial: null,
  trial_pid: null,
  failures: 0,
  report: null,
});

const reported = (
  state: UpdateReport["state"],
  { version }: AgentFile,
  reason: string | null,
  nowMs: number,
): UpdateReport => ({ state, version, reason: reason?.slice(0, 300) ?? null, at_ms: nowMs });

export const onTrial = (state: UpdateState, next: AgentFile, nowMs: number): UpdateState => ({
  ...state,
  trial: next,
  report: reported("updating", next, "it has started, and connects", nowMs),
});

const NO_TRIAL = { trial: null, trial_pid: null, failures: 0 };

/** The file on trial has connected. */
export function proven(state: UpdateState, nowMs: number): UpdateState {
  const { trial, current } = state;
  if (trial === null) return { ...state, failures: 0 };
  const report = reported("updated", trial, null, nowMs);
  return { ...state, current: trial, previous: current, ...NO_TRIAL, report };
}

/** The file on trial has failed. */
export function rolledBack(state: UpdateState, reason: string, nowMs: number): UpdateState {
  const { trial } = state;
  if (trial === null) return state;
  return { ...state, ...NO_TRIAL, report: reported("rolled_back", trial, reason, nowMs) };
}

/** The current file has ended with an error before it connected. */
export function failedAgain(state: UpdateState, nowMs: number): UpdateState {
  const failures = state.failures + 1;
  if (state.current === null || failures < FAILURES_MAX) return { ...state, failures };
  const reason = `it ended with an error ${failures} times before it connected`;
  return withoutCurrent(state, reason, nowMs);
}

/** The current file is damaged, or was given up. */
export function withoutCurrent(state: UpdateState, reason: string, nowMs: number): UpdateState {
  const { current, previous } = state;
  if (current === null) return state;
  const report = reported("rolled_back", current, reason, nowMs);
  return { ...state, current: previous, previous: null, failures: 0, report };
}
