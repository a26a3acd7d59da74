/**
 * Two ways to give an agent a wrong wall clock that changes while it runs. Both leave monotonic
 * time alone.
 */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../local/edge.ts";
import type { Child } from "../bench/children.ts";

/** How far a clock is ahead of the true time: at the start, and after the change. */
export type Off = { firstMs: number; thenMs: number };

export type FakeClock = {
  /** The name to print. */
  by: string;
  /** @param folder  where the clock keeps its files @returns environment variables for the agent */
  begin(off: Off, folder: string): Record<string, string>;
  set(agent: Child, off: Off, folder: string): void;
};

/**
 * Replaces `Date` in the process. This works wherever Node does, but affects only code that uses
 * `Date`.
 */
export const preloadedClock: FakeClock = {
  by: "Date replaced",
  begin: ({ firstMs, thenMs }) => ({
    NODE_OPTIONS: `--import ${pathToFileURL(join(ROOT, "test/faults/wrong-clock.ts")).href}`,
    WRONG_CLOCK_MS: String(firstMs),
    WRONG_CLOCK_THEN_MS: String(thenMs),
  }),
  set: (agent) => agent.signal("SIGUSR2"),
};

/**
 * The C library's clock, which the whole process sees. Null if libfaketime (Debian: `faketime`) is
 * not installed.
 */
export function libraryClock(): FakeClock | null {
  const library = libfaketime();
  if (library === null) return null;
  const fileIn = (folder: string) => join(folder, "faketime");
  const write = (folder: string, offMs: number) =>
    writeFileSync(fileIn(folder), `${offMs < 0 ? "" : "+"}${offMs / 1_000}\n`);
  return {
    by: "libfaketime",
    begin: ({ firstMs }, folder) => {
      write(folder, firstMs);
      return {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: fileIn(folder),
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        DONT_FAKE_MONOTONIC: "1", // the name in releases before 0.9.10
        NO_FAKE_STAT: "1",
      };
    },
    set: (_agent, { thenMs }, folder) => write(folder, thenMs),
  };
}

/** The multithreaded library, because Node has threads. */
function libfaketime(): string | null {
  const folders = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    ...(existsSync("/usr/lib") ? readdirSync("/usr/lib").map((name) => `/usr/lib/${name}`) : []),
  ];
  return (
    folders
      .map((folder) => join(folder, "faketime/libfaketimeMT.so.1"))
      .find((path) => existsSync(path)) ?? null
  );
}
