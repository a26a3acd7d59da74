/** The documents as a whole: links lead somewhere, scripts exist, workflows parse, and the README stays short. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { ROOT } from "../../../local/edge.ts";

const README_LINES_MAX = 90;

const documents = execFileSync("git", ["ls-files", "--", "*.md"], { cwd: ROOT, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "");

const workflows = execFileSync("git", ["ls-files", "--", ".github/workflows"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "");

const Workflow = z.object({
  name: z.string(),
  permissions: z.object({ contents: z.literal("read") }),
  jobs: z.record(
    z.string(),
    z.object({ "timeout-minutes": z.number(), steps: z.array(z.object({})).min(1) }),
  ),
});

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

test("documents and workflows name only scripts that package.json has", () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read("package.json")));
  const listed = execFileSync("git", ["ls-files", "--", "*.md", ".github", ".ci"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const files = listed.split("\n").filter((file) => file !== "");
  const missing = files.flatMap((file) =>
    Array.from(read(file).matchAll(/\bnpm run ([a-z:]+)/g), ([, name = ""]) => name)
      .filter((name) => !(name in scripts))
      .map((name) => `${file} names ${name}`),
  );
  expect(missing).toEqual([]);
});

test.each(workflows)("%s is a workflow whose jobs have a time limit", (file) => {
  const { jobs } = Workflow.parse(parse(read(file)));
  expect(Object.keys(jobs).length).toBeGreaterThan(0);
});

test.each([
  ["worker", "### Rooms of the Worker"],
  ["agent", "### Rooms of the agent"],
  ["dashboard", "### Rooms of the dashboard"],
])("the architecture names exactly the rooms of %s", (folder, heading) => {
  const [, section = ""] = read("docs/architecture.md").split(`\n${heading}\n`);
  const [own = ""] = section.split("\n##");
  const sources = execFileSync("git", ["ls-files", "--", folder], { cwd: ROOT, encoding: "utf8" });
  const rooms = Array.from(
    sources.matchAll(/^[a-z]+\/(?:([^/\n]+\/).*\.tsx?|([^/\n]+\.tsx?))$/gm),
    (room) => room[1] ?? room[2],
  );
  const named = Array.from(own.matchAll(/^\| (`.*?) \|/gm), ([, cell = ""]) => cell).flatMap(
    (cell) => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = ""]) => name),
  );
  expect(named.sort()).toEqual([...new Set(rooms)].sort());
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
