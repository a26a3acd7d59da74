import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { acquireStateLock, StateLockError } from "../../../../agent/state/lock.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait-for.ts";

const hasProc = existsSync("/proc/self/stat");

test("creates the state folder for its owner only, and frees it on release", () => {
  const folder = join(newFolder(), "a", "b");
  const lock = acquireStateLock(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  lock.release();
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
  acquireStateLock(folder).release();
});

test("names the process that holds the state folder to a second agent", async () => {
  const folder = newFolder();
  await using holder = starter(folder);
  expect(await holder.go()).toBe("held");
  const refusal = refusalOf(folder);
  expect(refusal).toMatchObject({
    reason: "held",
    message: expect.stringContaining(`another agent (pid ${holder.pid})`),
  });
  expect(refusal.message).toContain(folder);
  // The refused agent leaves no claim behind.
  expect(readdirSync(folder)).toHaveLength(1);
});

test("refuses to lock a state folder twice in one process", () => {
  const folder = newFolder();
  const lock = acquireStateLock(folder);
  expect(refusalOf(folder)).toMatchObject({
    reason: "held",
    message: expect.stringContaining(`this process (pid ${process.pid})`),
  });
  lock.release();
});

test("frees the state folder of a killed agent at once", async () => {
  const folder = newFolder();
  const holder = starter(folder);
  expect(await holder.go()).toBe("held");
  await holder.kill();
  expect(readdirSync(folder)).toHaveLength(1);
  acquireStateLock(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test.runIf(hasProc)("ignores a claim whose pid now belongs to another program", () => {
  const folder = newFolder();
  writeFileSync(join(folder, `agent-${process.ppid}-0badb00712345.lock`), "");
  acquireStateLock(folder).release();
});

test.each([
  ["below a file", (folder: string) => join(folder, "file", "state")],
  ["that is a file", (folder: string) => join(folder, "file")],
])("reports a state folder %s as not writable", (_place, pathOf) => {
  const folder = newFolder();
  writeFileSync(join(folder, "file"), "");
  const path = pathOf(folder);
  expect(refusalOf(path)).toMatchObject({
    reason: "not_writable",
    message: expect.stringMatching(`${path} is not writable`),
  });
});

test("lets exactly one of many agents that start at once lock the folder, despite a dead agent's claim", async () => {
  for (let round = 0; round < 3; round++) {
    const folder = newFolder();
    writeFileSync(join(folder, "agent-4194000-0badb00799.lock"), "");
    const starters = Array.from({ length: 4 }, () => starter(folder));
    await Promise.all(starters.map((one) => one.ready));
    const answers = await Promise.all(starters.map((one) => one.go()));
    expect(answers.filter((answer) => answer === "held")).toHaveLength(1);
    expect(answers.filter((answer) => answer.startsWith("refused"))).toHaveLength(3);
    await Promise.all(starters.map((one) => one.kill()));
  }
});

const newFolder = () => temporaryFolder("lock-");

function refusalOf(folder: string): StateLockError {
  try {
    acquireStateLock(folder);
  } catch (error) {
    if (error instanceof StateLockError) return error;
    throw error;
  }
  throw new Error("the folder was locked, not refused");
}

/** Starts a process that locks the folder when `go` is called. */
function starter(folder: string) {
  const script = new URL("../../../support/lock-holder.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = (number: number) =>
    waitFor(() =>
      output.split("\n").at(number + 1) !== undefined
        ? (output.split("\n")[number] ?? "")
        : Promise.reject(new Error("the starter has printed nothing yet")),
    );
  const ready = line(0);
  const kill = () => {
    child.kill("SIGKILL");
    return gone;
  };
  const go = async () => {
    await ready;
    child.stdin.write("go\n");
    return line(1);
  };
  return { pid: child.pid, ready, go, kill, [Symbol.asyncDispose]: kill };
}
