/**
 * Runs the agent until a signal stops it, and restarts it into updates: this process runs the installed file
 * itself, and supervises a child process once another file is to run.
 */
import { setTimeout as delay } from "node:timers/promises";
import { DRAIN_MS } from "./clock/drain.ts";
import { StopSignals } from "./clock/stop-signals.ts";
import type { AgentConfig } from "./config.ts";
import { ownContent } from "./executable.ts";
import type { BoxMembership } from "./joining/membership.ts";
import type { ListenAddress } from "./listen/listen-address.ts";
import type { Log } from "./log.ts";
import { type Running, startBox } from "./start.ts";
import { acquireStateLock, StateLockError } from "./state/lock.ts";
import {
  installedMark,
  killOrphan,
  printedVersion,
  reportToSupervisor,
  startAgentProcess,
  supervisedMark,
} from "./update/agent-process.ts";
import { comparableDigest } from "./update/comparable-digest.ts";
import { Supervisor } from "./update/supervisor.ts";
import { digestOf, UpdateFolder } from "./update/update-folder.ts";
import { Updater } from "./update/updater.ts";

/** Time that a second signal leaves to end open requests with an error and write their records. */
const STOP_MS = 1_000;
/** An update is in no hurry: a request that is open when it begins may take this long. */
const UPDATE_DRAIN_MS = 3_600_000;
/** An agent that was orphaned ends within this. */
const UNLOCK_MS = 10_000;
const UNLOCK_CHECK_MS = 100;

export type RunOptions = {
  config: AgentConfig;
  listen: ListenAddress | null;
  membership: BoxMembership | null;
  log: Log;
};

export async function runUntilStopped(options: RunOptions): Promise<void> {
  const { stateDir } = options.config;
  const supervised = supervisedMark();
  if (supervised !== null)
    return runAgent(options, new UpdateFolder(stateDir, supervised), () => process.exit(0), true);
  const mark = installedMark();
  const folder = new UpdateFolder(stateDir, mark);
  const { current, trial } = folder.read();
  const isUpdated = current !== null || trial !== null || folder.next() !== null;
  if (isUpdated && options.config.allowsUpdates) return supervise(options, folder, mark);
  return runAgent(options, folder, () => supervise(options, folder, mark));
}

/** @param onUpdate  called when the agent has stopped because another file is to run */
async function runAgent(
  { config, listen, membership, log }: RunOptions,
  folder: UpdateFolder,
  onUpdate: () => void,
  hasSupervisor = false,
): Promise<void> {
  let running: Running | null = null;
  const signals = new StopSignals();
  const supervisor = hasSupervisor
    ? reportToSupervisor({
        report: () => updater.reread(),
        orphaned: () => {
          log("error", "supervisor_gone");
          setTimeout(() => process.exit(1), STOP_MS);
          void running?.stop().then(() => process.exit(1));
        },
      })
    : null;
  const updater = new Updater({
    takes: membership === null ? "not_joined" : config.allowsUpdates ? "yes" : "forbidden",
    box: config.box,
    edge: config,
    signingKey: () => membership?.signingKey ?? null,
    folder,
    running: () => digestOf(ownContent()),
    // Read now: the installer may replace the file while it runs.
    comparable: comparableDigest(),
    probe: printedVersion,
    ready: () => {
      if (signals.isStopping) return;
      log("info", "restarting_for_update");
      void running?.drain(UPDATE_DRAIN_MS).then(() => signals.isStopping || onUpdate());
    },
    up: () => supervisor?.up(),
    now: Date.now,
    log,
  });
  running = await startBox(config, { listen, membership, updates: updater }, log);
  const { drain, stop } = running;
  const onSignal = (signal: NodeJS.Signals) => {
    const meaning = signals.take(performance.now());
    if (meaning === null) return;
    const limit_s = (meaning === "first" ? DRAIN_MS : STOP_MS) / 1_000;
    const waits_for =
      meaning === "first" ? "open requests; a second signal stops at once" : "nothing";
    log("info", "stopping", { signal, waits_for, limit_s });
    if (meaning === "second") setTimeout(() => process.exit(1), STOP_MS);
    void (meaning === "first" ? drain() : stop()).then(() => process.exit(0));
  };
  onSignals(onSignal);
}

/** Runs the files of updates, and the installed one again, as child processes. Ends with the last one. */
async function supervise(
  { config, listen, log }: RunOptions,
  folder: UpdateFolder,
  mark: string,
): Promise<void> {
  const args = listen === null ? [] : ["--listen", `${listen.host}:${listen.port}`];
  const supervisor = new Supervisor({
    folder,
    start: (path) => startAgentProcess(path, args, mark),
    killOrphan,
    unlocked: () => unlocked(config.stateDir),
    wait: (ms) => delay(ms, undefined, { ref: false }),
    now: Date.now,
    log,
  });
  onSignals((signal) => supervisor.stop(signal));
  process.exit(await supervisor.run());
}

function onSignals(take: (signal: NodeJS.Signals) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.removeAllListeners(signal);
    process.on(signal, take);
  }
}

/** @throws {StateLockError} if another agent keeps the state folder */
async function unlocked(stateDir: string): Promise<void> {
  const untilMs = performance.now() + UNLOCK_MS;
  for (;;) {
    try {
      return acquireStateLock(stateDir).release();
    } catch (error) {
      const holder = error instanceof StateLockError ? error.holder : null;
      if (holder === null || performance.now() > untilMs) throw error;
      killOrphan(holder);
      await delay(UNLOCK_CHECK_MS);
    }
  }
}
