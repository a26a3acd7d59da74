/**
 * Runs updated agents as child processes: a new one on trial, and the old one again if the trial fails.
 *
 * Its contract with the child is small, because it may be older than any of them: the child sends `up` when the edge has
 * welcomed it, ends when this process is gone, and exits with 0 once it has left another file to run next. It gets
 * `report` when the report has changed.
 */
import type { Log } from "../log.ts";
import type { UpdateFolder } from "./update-folder.ts";
import {
  failedAgain,
  onTrial,
  proven,
  rolledBack,
  type UpdateState,
  withoutCurrent,
} from "./update-state.ts";

/** A new agent must have connected within this. */
export const TRIAL_MS = 60_000;
/** It must live on for this long afterwards. */
const PROVEN_MS = 5_000;
/** A failed agent gets this long to end by itself. */
const ENDING_MS = 5_000;

export type AgentEnding = { code: number | null; signal: NodeJS.Signals | null };

/** An agent in a process of its own. */
export type AgentChild = {
  pid: number | undefined;
  /** Resolves when the edge has welcomed it. */
  up: Promise<void>;
  ended: Promise<AgentEnding>;
  signal(signal: NodeJS.Signals): void;
  /** Makes it read the report again. */
  report(): void;
};

export type SupervisorShell = {
  folder: UpdateFolder;
  /** Starts a file; null stands for the installed one. */
  start(path: string | null): AgentChild;
  /** Kills an agent that outlived its supervisor. Does nothing to any other process. */
  killOrphan(pid: number): void;
  /** Resolves when no other agent uses the state folder. */
  unlocked(): Promise<void>;
  wait(ms: number): Promise<void>;
  now(): number;
  log: Log;
};

export class Supervisor {
  readonly #shell: SupervisorShell;
  #state: UpdateState;
  #child: AgentChild | null = null;
  #isStopping = false;

  constructor(shell: SupervisorShell) {
    this.#shell = shell;
    this.#state = shell.folder.read();
  }

  /** Passes a signal to the agent, which decides what it means. */
  stop(signal: NodeJS.Signals): void {
    this.#isStopping = true;
    this.#child?.signal(signal);
  }

  /** Runs agents until one ends and no other file is to run. Returns its exit code. */
  async run(): Promise<number> {
    const { folder, killOrphan, log, now, unlocked } = this.#shell;
    await unlocked();
    this.#state = folder.read();
    const { trial, trial_pid } = this.#state;
    if (trial_pid !== null) killOrphan(trial_pid);
    if (trial !== null)
      this.#keep(rolledBack(this.#state, "it was interrupted before it had connected", now()));
    for (;;) {
      if (this.#isStopping) return 0;
      this.#takeNext();
      const isTrial = this.#state.trial !== null;
      const file = this.#fileToRun();
      const child = this.#shell.start(file === null ? null : folder.pathOf(file));
      this.#child = child;
      if (isTrial) this.#keep({ ...this.#state, trial_pid: child.pid ?? null });
      log("info", isTrial ? "update_started" : "agent_started", {
        version: file?.version ?? "installed",
        pid: child.pid,
      });
      const { code } = isTrial ? await this.#onTrial(child) : await this.#inUse(child);
      this.#child = null;
      const hasFailed = isTrial && this.#state.report?.state !== "updated";
      const goesOn = hasFailed || folder.next() !== null;
      if (this.#isStopping || !goesOn) return code ?? 1;
      await unlocked();
    }
  }

  /** Puts the downloaded file on trial. Without a place to note that, the old one runs. */
  #takeNext(): void {
    const { folder, log, now } = this.#shell;
    const next = folder.next();
    if (next === null) return;
    try {
      if (!folder.isIntact(next)) throw new Error("the file is damaged");
      const state = onTrial(this.#state, next, now());
      folder.write(state);
      this.#state = state;
    } catch (error) {
      log("error", "update_failed", { version: next.version, why: error });
    }
    folder.dropNext();
  }

  /** Returns the file to run; null for the installed one. A damaged one is given up. */
  #fileToRun() {
    const { folder, now } = this.#shell;
    if (this.#state.trial !== null) return this.#state.trial;
    while (this.#state.current !== null && !folder.isIntact(this.#state.current))
      this.#keep(withoutCurrent(this.#state, "its file is damaged", now()));
    return this.#state.current;
  }

  async #onTrial(child: AgentChild): Promise<AgentEnding> {
    const { log, now, wait } = this.#shell;
    const ended = child.ended.then(
      ({ code, signal }) => `it ended with ${signal ?? `code ${code}`}`,
    );
    const late = wait(TRIAL_MS).then(() => `it did not connect within ${TRIAL_MS / 1_000} s`);
    const up = child.up.then(() => null);
    const why =
      (await Promise.race([ended, late, up])) ??
      (await Promise.race([ended, wait(PROVEN_MS).then(() => null)]));
    if (why === null) {
      this.#keep(proven(this.#state, now()));
      log("info", "updated", { version: this.#state.current?.version });
      child.report();
      return child.ended;
    }
    const reason = this.#isStopping ? "it was stopped before it had connected" : why;
    log("error", "update_rolled_back", { version: this.#state.trial?.version, why: reason });
    this.#keep(rolledBack(this.#state, reason, now()));
    child.signal("SIGTERM");
    const isEnded = await Promise.race([child.ended, wait(ENDING_MS).then(() => null)]);
    if (isEnded === null) child.signal("SIGKILL");
    return child.ended;
  }

  async #inUse(child: AgentChild): Promise<AgentEnding> {
    const { now } = this.#shell;
    let wasUp = false;
    void child.up.then(() => {
      wasUp = true;
      if (this.#state.failures > 0) this.#keep(proven(this.#state, now()));
    });
    const ended = await child.ended;
    if (!wasUp && ended.code !== 0 && !this.#isStopping)
      this.#keep(failedAgain(this.#state, now()));
    return ended;
  }

  /** The state on the disk may stay as it was: it then leads to the old file too. */
  #keep(state: UpdateState): void {
    const { folder, log } = this.#shell;
    this.#state = state;
    try {
      folder.write(state);
      folder.prune(state);
    } catch (error) {
      log("error", "update_not_kept", { why: error });
    }
  }
}
