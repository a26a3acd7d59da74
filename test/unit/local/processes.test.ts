/** Child processes, and that none is left behind. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Child } from "../../../local/processes.ts";
import type { Reaper } from "../../../local/reaping.ts";
import { waitFor } from "../../support/wait-for.ts";

const noReaper: Reaper = { watch: () => {}, forget: () => {}, close: () => {} };
const run = (script: string, more: { endsAsGroup?: boolean } = {}) =>
  new Child({ name: "child", args: ["-e", script], env: process.env, ...more }, noReaper);

const STUBBORN = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");';

test("a child keeps its last lines whole and reports its exit code", async () => {
  const child = run(
    'process.stdout.write("one\\ntw"); console.error("problem"); process.stdout.write("o\\n"); process.exitCode = 3;',
  );
  expect(await child.ended).toEqual({ code: 3, signal: null });
  await waitFor(() => expect([...child.tail()].sort()).toEqual(["one", "problem", "two"]));
});

test("a child that ignores SIGTERM is killed after its grace period", async () => {
  const child = run(STUBBORN);
  await waitFor(() => expect(child.tail()).toEqual(["up"]));
  await child.stop(30);
  expect(await child.ended).toEqual({ code: null, signal: "SIGKILL" });
});

test("a child that is stopped by a signal still ends", async () => {
  const child = run('setInterval(() => {}, 1000); console.log("up");');
  await waitFor(() => expect(child.tail()).toEqual(["up"]));
  child.signal("SIGSTOP");
  await child.stop(5_000);
  expect(await child.ended).toEqual({ code: null, signal: "SIGTERM" });
});

test("a grandchild that outlives its parent is ended with the group", async () => {
  const script = `const { spawn } = require("node:child_process");
    const grand = spawn(process.execPath, ["-e", ${JSON.stringify(STUBBORN)}], { stdio: ["ignore", "inherit", "inherit"] });
    console.log("grand " + grand.pid); setInterval(() => {}, 1000);`;
  const child = run(script);
  await waitFor(() => expect(child.tail()).toContain("up"));
  const grand = Number(
    child
      .tail()
      .find((line) => line.startsWith("grand "))
      ?.slice(6),
  );
  await child.stop(5_000);
  await waitFor(() => expect(isRunning(grand)).toBe(false));
});

test("a program that cannot start counts as ended", async () => {
  const child = new Child(
    { name: "child", args: ["-e", ""], env: process.env, cwd: "/nowhere/at/all" },
    noReaper,
  );
  expect(await child.ended).toEqual({ code: null, signal: null });
  await child.stop(10);
});

test("the reaper ends the children of a program that is killed", async () => {
  const local = new URL("../../../local/", import.meta.url);
  const program = `
    import { Child } from ${JSON.stringify(new URL("processes.ts", local).href)};
    import { startReaper } from ${JSON.stringify(new URL("reaping.ts", local).href)};
    const child = new Child({ name: "child", args: ["-e", ${JSON.stringify(STUBBORN)}], env: process.env, onLine: () => console.log(child.pid) }, startReaper());
    setInterval(() => {}, 1000);`;
  const parent = new Child(
    { name: "parent", args: ["--input-type=module", "-e", program], env: process.env },
    noReaper,
  );
  await waitFor(() => expect(parent.tail()).toHaveLength(1));
  const orphan = Number(parent.tail()[0]);
  expect(isRunning(orphan)).toBe(true);
  parent.signal("SIGKILL");
  await waitFor(() => expect(isRunning(orphan)).toBe(false));
});

/**
 * A zombie that nobody has collected yet no longer counts as a process. Without /proc, a pid counts
 * as one.
 */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return !existsSync("/proc/self/stat");
  }
}
