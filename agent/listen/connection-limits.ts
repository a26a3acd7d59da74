/** The connections that the listener accepts, so that it never uses up the process's files. */
import { readFileSync } from "node:fs";

export type ConnectionLimits = {
  connectionsMax: number;
  /** Time for a caller to send the head of a request, ms. */
  headMs: number;
  /** Time without a byte of a body that has begun, ms. */
  bodyMs: number;
  /**
   * Time between two requests, ms. Longer than the 90 s after which Go's HTTP client closes an idle
   * connection itself, so that a caller rarely uses one that is being closed.
   */
  idleMs: number;
};

/**
 * Files for everything else: the tunnel, its calls to Ollama, the spool, nvidia-smi, Node itself.
 */
const OTHER_FILES = 64;
/** A connection and the one to Ollama behind it. */
const FILES_PER_CONNECTION = 2;
const CONNECTIONS_MAX = 10_000;
/** Used if the system does not report its limit. Node raises the limit as far as it may. */
const FILES_UNKNOWN = 2_048;

/** @param filesMax  open files that this process may have */
export const connectionsMaxOf = (filesMax: number): number =>
  Math.min(
    CONNECTIONS_MAX,
    Math.max(1, Math.floor((filesMax - OTHER_FILES) / FILES_PER_CONNECTION)),
  );

/** Parses `/proc/<pid>/limits`. Returns null without a limit on files. */
export function filesMaxOf(limits: string): number | null {
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? null : Number(soft);
}

/** Returns the limits of this process. */
export const ownConnectionLimits = (): ConnectionLimits => ({
  connectionsMax: connectionsMaxOf(ownFilesMax()),
  headMs: 20_000,
  bodyMs: 120_000,
  idleMs: 120_000,
});

function ownFilesMax(): number {
  try {
    return filesMaxOf(readFileSync("/proc/self/limits", "utf8")) ?? FILES_UNKNOWN;
  } catch {
    return FILES_UNKNOWN; // only Linux has this file
  }
}
