/** The documents as a whole: their links lead somewhere, and the README stays short. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../../local/edge.ts";

const README_LINES_MAX = 90;

const documents = execFileSync("git", ["ls-files", "--", "*.md"], { cwd: ROOT, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "");

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

const withoutCode = (text: string) =>
  text
    .replaceAll(/^ *```[\s\S]*?^ *```/gm, "")
    .replaceAll(/`[^`\n]*`/g, (code) => code.slice(1, -1));

/** The targets of a document's links and images that are not on the web. */
function relativeLinks(text: string): string[] {
  const found = withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g);
  return Array.from(found, ([, target = ""]) => target).filter(
    (target) => !/^[a-z]+:/.test(target),
  );
}

/** The anchors that GitHub gives the headings of a document. */
const anchorsOf = (text: string): string[] =>
  Array.from(withoutCode(text).matchAll(/^#+ (.+)$/gm), ([, heading = ""]) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

/** Why a link leads nowhere; null if it does not. */
function faultOf(document: string, link: string): string | null {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? document : posix.join(posix.dirname(document), path);
  if (!existsSync(join(ROOT, target))) return `${target} does not exist`;
  if (anchor === undefined) return null;
  return anchorsOf(read(target)).includes(anchor) ? null : `${target} has no heading #${anchor}`;
}

test("the README fits on one screen", () => {
  expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(README_LINES_MAX);
});

describe.each(documents)("%s", (document) => {
  test("has only links that lead to a file and a heading", () => {
    const faults = relativeLinks(read(document)).map((link) => faultOf(document, link));
    expect(faults.filter((fault) => fault !== null)).toEqual([]);
  });
});

test.each([
  ["docs/api.md", "#errors", null],
  ["docs/api.md", "deploy.md", null],
  ["docs/api.md", "../protocol/README.md", null],
  ["docs/api.md", "nowhere.md", "docs/nowhere.md does not exist"],
  ["docs/api.md", "deploy.md#nowhere", "docs/deploy.md has no heading #nowhere"],
])("judges a link in %s to %s", (document, link, fault) => {
  expect(faultOf(document, link)).toBe(fault);
});

test("every document in docs is reachable from the README or from a document that it links to", () => {
  const reached = new Set(["README.md"]);
  for (const document of reached)
    for (const link of relativeLinks(read(document))) {
      const [path = ""] = link.split("#");
      const target = posix.join(posix.dirname(document), path);
      if (documents.includes(target)) reached.add(target);
    }
  const inDocs = documents.filter((file) => file.startsWith("docs/"));
  expect(inDocs.filter((file) => !reached.has(file))).toEqual([]);
});
