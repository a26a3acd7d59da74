/** Only a file that an edge can have served has a digest to compare. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { digestOfServed } from "../../../../agent/update/comparable-digest.ts";
import { digestOf } from "../../../../agent/update/update-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "comparable-digest-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CONTENT = new TextEncoder().encode("agent()");

function fileAt(path: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, CONTENT);
  return file;
}

test("an installed agent and one from an update have the digest of their content", () => {
  expect(digestOfServed(fileAt("lib/ollama-edge-agent/agent.mjs"))).toBe(digestOf(CONTENT));
  expect(digestOfServed(fileAt("state/updates/0a.mjs"))).toBe(digestOf(CONTENT));
});

test("the package has none, even when npm starts it by a link", () => {
  fileAt("package/package.json");
  const link = join(folder, "ollama-edge-agent");
  symlinkSync(fileAt("package/agent/agent.mjs"), link);
  expect(digestOfServed(link)).toBeNull();
});

test("sources, and a file that is gone, have none", () => {
  expect(digestOfServed(fileAt("agent/main.ts"))).toBeNull();
  expect(digestOfServed(join(folder, "gone.mjs"))).toBeNull();
});
