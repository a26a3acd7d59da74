/** The supervisor with agents that are made up: which file runs after what. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type AgentChild,
  type AgentEnding,
  Supervisor,
} from "../../../../agent/update/supervisor.ts";
import { digestOf, UpdateFolder } from "../../../../agent/update/update-folder.ts";
import type { AgentFile } from "../../../../protocol/update.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

/** The fate of an agent: it ends with this code, before or after it was up. */
type Fate = { isUp: boolean; code: number; leaves?: AgentFile };

class Scene {
  readonly stateDir = temporaryFolder("supervisor-");
  readonly folder = new UpdateFolder(this.stateDir, "mark");
  readonly started: string[] = [];
  readonly events: string[] = [];

  file(version: string): AgentFile {
    const content = Buffer.from(`agent ${version}`);
    const file = { version, sha256: digestOf(content), bytes: content.length };
    this.folder.keepNext(file, content);
    return file;
  }

  /** Runs a process of the supervisor, whose agents have these fates in turn. Returns its exit code. */
  run(fates: readonly Fate[]): Promise<number> {
    const left = [...fates];
    return new Supervisor({
      folder: this.folder,
      start: (path) => {
        const fate = left.shift();
        if (fate === undefined) throw new Error("one more agent was started");
        this.started.push(path === null ? "installed" : (this.#versionAt(path) ?? "?"));
        const isOnTrial = this.folder.read().trial !== null;
        return childOf(fate, isOnTrial, () => fate.leaves && this.file(fate.leaves.version));
      },
      unlocked: async () => {},
      killOrphan: () => {},
      wait: () => new Promise((resolve) => setTimeout(resolve, 20)),
      now: () => 1,
      log: (_level, event) => void this.events.push(event),
    }).run();
  }

  #versionAt(path: string): string | undefined {
    const all = ["1", "2", "3"].map((version) => ({ version, text: `agent ${version}` }));
    return all.find(({ text }) => path.includes(digestOf(Buffer.from(text))))?.version;
  }
}

/** An agent on trial that is up ends once it is proven: its supervisor then has it report. */
function childOf({ isUp, code }: Fate, isOnTrial: boolean, leave: () => void): AgentChild {
  let end: (ended: AgentEnding) => void = () => {};
  const ended = new Promise<AgentEnding>((resolve) => {
    end = resolve;
  });
  const finish = () => {
    if (isUp) leave();
    end({ code, signal: null });
  };
  if (!isUp) setTimeout(finish, 1);
  else if (!isOnTrial) setTimeout(finish, 60);
  return {
    pid: 1,
    up: isUp ? Promise.resolve() : new Promise(() => {}),
    ended,
    signal: (signal) => end({ code: null, signal }),
    report: finish,
  };
}

const WORKS: Fate = { isUp: true, code: 0 };
const CRASHES: Fate = { isUp: false, code: 1 };

test("a file that worked and then fails three times in a row is given up", async () => {
  const scene = new Scene();
  scene.file("1");
  expect(await scene.run([WORKS])).toBe(0);
  for (const _ of [1, 2]) expect(await scene.run([CRASHES])).toBe(1);
  expect(await scene.run([WORKS])).toBe(0); // the count starts again
  for (const _ of [1, 2, 3]) expect(await scene.run([CRASHES])).toBe(1);
  expect(await scene.run([WORKS])).toBe(0);
  expect(scene.started).toEqual(["1", "1", "1", "1", "1", "1", "1", "installed"]);
  expect(scene.folder.read().report).toMatchObject({
    state: "rolled_back",
    version: "1",
    reason: "it ended with an error 3 times before it connected",
  });
});

test("a failed trial returns to the updated file before it, in the same process", async () => {
  const scene = new Scene();
  scene.file("1");
  await scene.run([WORKS]);
  scene.file("2");
  expect(await scene.run([CRASHES, WORKS])).toBe(0);
  expect(scene.started).toEqual(["1", "2", "1"]);
  expect(scene.folder.read()).toMatchObject({
    current: { version: "1" },
    report: { state: "rolled_back", version: "2", reason: "it ended with code 1" },
  });
});

test("an agent that leaves another file is followed by it", async () => {
  const scene = new Scene();
  scene.file("1");
  const leaves: AgentFile = { version: "2", sha256: "", bytes: 1 };
  expect(await scene.run([{ ...WORKS, leaves }, WORKS])).toBe(0);
  expect(scene.started).toEqual(["1", "2"]);
  expect(scene.folder.read()).toMatchObject({
    current: { version: "2" },
    previous: { version: "1" },
  });
});

test("damaged files and a damaged state lead to the file before, and to the installed one", async () => {
  const scene = new Scene();
  const first = scene.file("1");
  await scene.run([WORKS]);
  const second = scene.file("2");
  await scene.run([WORKS]);
  writeFileSync(scene.folder.pathOf(second), "agent");
  await scene.run([WORKS]);
  rmSync(scene.folder.pathOf(first));
  await scene.run([WORKS]);
  const third = scene.file("3");
  writeFileSync(scene.folder.pathOf(third), "agent");
  await scene.run([WORKS]);
  writeFileSync(join(scene.stateDir, "updates", "state.json"), '{"installed":"mark"');
  await scene.run([WORKS]);
  expect(scene.started).toEqual(["1", "2", "1", "installed", "installed", "installed"]);
});
