import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { acquireStateLock, StateLockError } from "../../../../agent/state/lock.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const hasProc = existsSync("/proc/self/stat");

test("the folder is made for its owner alone, and free again after the release", () => {
  const folder = join(newFolder(), "a", "b");
  const lock = acquireStateLock(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  lock.release();
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
  acquireStateLock(folder).release();
});

test("a second agent is told who holds the folder", async () => {
  const folder = newFolder();
  await using holder = starter(folder);
  expect(await holder.go()).toBe("held");
  const refusal = refusalOf(folder);
  expect(refusal).toMatchObject({
    reason: "held",
    message: expect.stringContaining(`another agent (pid ${holder.pid})`),
  });
  expect(refusal.message).toContain(folder);
  // The refused one leaves nothing behind.
  expect(readdirSync(folder)).toHaveLength(1);
});

test("one process cannot take a folder twice", () => {
  const folder = newFolder();
  const lock = acquireStateLock(folder);
  expect(refusalOf(folder)).toMatchObject({
    reason: "held",
    message: expect.stringContaining(`this process (pid ${process.pid})`),
  });
  lock.release();
});

test("what a killed agent held is free at once", async () => {
  const folder = newFolder();
  const holder = starter(folder);
  expect(await holder.go()).toBe("held");
  await holder.kill();
  expect(readdirSync(folder)).toHaveLength(1);
  acquireStateLock(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

test.runIf(hasProc)("a pid that now belongs to another program does not hold it", () => {
  const folder = newFolder();
  writeFileSync(join(folder, `agent-${process.ppid}-0badb00712345.lock`), "");
  acquireStateLock(folder).release();
});

test.each([
  ["is below a file", (folder: string) => join(folder, "file", "state")],
  ["is a file", (folder: string) => join(folder, "file")],
])("a folder that %s is named as not writable", (_why, pathOf) => {
  const folder = newFolder();
  writeFileSync(join(folder, "file"), "");
  const path = pathOf(folder);
  expect(refusalOf(path)).toMatchObject({
    reason: "not_writable",
    message: expect.stringMatching(`${path} is not writable`),
  });
});

test("of many that start at once exactly one gets it, over the claim of a dead one", {
  timeout: 60_000,
}, async () => {
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
  throw new Error("it was not refused");
}

/** Another process that takes the folder when told to. */
function starter(folder: string) {
  const script = new URL("../../../support/lock-holder.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, folder], { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = (number: number) =>
    vi.waitFor(
      () =>
        said.split("\n").at(number + 1) !== undefined
          ? (said.split("\n")[number] ?? "")
          : Promise.reject(new Error("silent")),
      {
        timeout: 20_000,
        interval: 10,
      },
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
