/**
 * Shared by the tests of the spool: spools in temporary folders, and the contents of their files.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NODE_DISK } from "../../../../agent/spool/disk.ts";
import { Spool, type SpoolOptions } from "../../../../agent/spool/spool.ts";
import { RequestRecord } from "../../../../protocol/records.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

export const NOW = Date.parse("2026-08-01T00:00:10.000Z");

export const newFolder = () => join(temporaryFolder("spool-"), "spool");

/** Opens a spool on a disk that can be made to fail. `crash` stops all writing, like SIGKILL. */
export function newSpool({ folder = newFolder(), now = () => NOW, onRealDisk = false } = {}) {
  const disk = { isFull: false, hasFailed: false, reads: 0 };
  const events: string[] = [];
  const append = (fd: number, text: string) => {
    if (!disk.isFull) return void writeSync(fd, text);
    disk.hasFailed = true;
    writeSync(fd, text.slice(0, text.length / 2));
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  };
  const read = (...call: Parameters<typeof NODE_DISK.read>) => {
    disk.reads++;
    return NODE_DISK.read(...call);
  };
  const log: SpoolOptions["log"] = (level, event) => {
    if (level !== "info" || event === "spool_disk_back") events.push(event);
  };
  const spool = Spool.open(
    folder,
    onRealDisk ? { now, log } : { now, log, disk: { ...NODE_DISK, append, read } },
  );
  const crash = () => {
    disk.isFull = true;
  };
  return { spool, folder, events, disk, crash };
}

export const idsOf = (spool: Spool) =>
  spool.next(1_000)?.records.map((record) => RequestRecord.parse(record).request_id) ?? [];

export const segmentsIn = (folder: string) =>
  readdirSync(folder).filter((name) => /^\d{6}\.log$/.test(name));

export const textIn = (folder: string) =>
  segmentsIn(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");

export function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

/**
 * Runs spool-writer.ts until it has printed a random number of lines, kills it, and returns them.
 */
export async function linesUntilKilled(folder: string, seed: number): Promise<string[]> {
  const script = new URL("../../../support/spool-writer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, folder, String(seed)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = new Promise((resolve) => child.once("close", resolve));
  const linesMax = 1 + Math.floor(Math.random() * 400);
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    if (printed.split("\n").length > linesMax) child.kill("SIGKILL");
  });
  await gone;
  return printed.split("\n").slice(1, -1);
}

export function mountsTmpfs(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    const mount = tmpfs("64k");
    void mount[Symbol.asyncDispose]();
    return true;
  } catch {
    return false;
  }
}

export function tmpfs(size: string) {
  const folder = mkdtempSync(join(tmpdir(), "full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], {
    stdio: "ignore",
  });
  return {
    folder,
    grow: (larger: string) => execFileSync("mount", ["-o", `remount,size=${larger}`, folder]),
    [Symbol.asyncDispose]: async () => {
      execFileSync("umount", ["-l", folder]);
      rmdirSync(folder);
    },
  };
}
