import { expect, test } from "vitest";
import {
  argumentsOf,
  installedFile,
  otherFileOf,
  ranOtherFile,
  runsEmbedded,
} from "../../../agent/executable.ts";

test.each([
  [["/state/updates/ab.mjs", "--listen", "1"], "/state/updates/ab.mjs"],
  [["ab.mjs"], null],
  [["/usr/local/bin/ollama-edge-agent"], null],
  [["--check", "/state/ab.mjs"], null],
  [[], null],
])("an executable with the arguments %j runs %s", (args, file) => {
  expect(otherFileOf(args)).toBe(file);
});

test("under Node there is no agent inside, and a file is started as Node starts it", () => {
  expect(runsEmbedded()).toBe(false);
  expect(ranOtherFile()).toBe(false);
  expect(installedFile()).toBe(process.argv[1]);
  expect(argumentsOf("/a.mjs", ["--version"])).toEqual([
    ...process.execArgv,
    "/a.mjs",
    "--version",
  ]);
  expect(argumentsOf(null, [])).toEqual([...process.execArgv, process.argv[1]]);
});
