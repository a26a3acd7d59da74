import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { diskFolders, diskOf } from "../../../../agent/readings/disk.ts";

const folder = mkdtempSync(join(tmpdir(), "disk-test-"));
const file = join(folder, "file");
writeFileSync(file, "");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("returns the size of a folder's file system, as df reports it", async () => {
  const { bsize, blocks } = await statfs(folder);
  const disk = await diskOf([folder]);
  expect(disk).toMatchObject({ path: folder, totalBytes: bsize * blocks });
  expect(disk?.usedBytes).toBeGreaterThan(0);
  expect(disk?.usedBytes).toBeLessThanOrEqual(bsize * blocks);
});

test.each<[kind: string, path: string]>([
  ["a folder that is missing", join(folder, "missing")],
  ["a folder below a file", join(file, "models")],
  ["a path that is too long", `/${"x".repeat(5_000)}`],
  ["a path with a NUL", "/a\0b"],
  ["an empty path", ""],
])("uses the next folder if OLLAMA_MODELS is %s", async (_kind, path) => {
  expect(await diskOf([path, folder])).toMatchObject({ path: folder });
  expect(await diskOf([path])).toBeNull();
});

test("tries OLLAMA_MODELS first and the state folder last", () => {
  expect(diskFolders({ ollamaModels: "/big", home: "/home/u", stateDir: "/state" })).toEqual([
    "/big",
    join("/home/u", ".ollama", "models"),
    "/usr/share/ollama/.ollama/models",
    "/var/lib/ollama",
    "/state",
  ]);
  expect(diskFolders({ ollamaModels: null, home: "/home/u", stateDir: "/state" })[0]).toBe(
    join("/home/u", ".ollama", "models"),
  );
});
