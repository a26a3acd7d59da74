/** The house rules of `docs/style.md` that a program can check. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../local/edge.ts";
import { findings, passages, passagesOf, rulesBroken } from "./support/prose.ts";

const PRODUCT = ["worker", "agent", "protocol", "dashboard", "simulated", "local", "monitoring"];

/** Biome breaks code at 100 and leaves comments and literals alone. */
const LINE_CHARS_MAX = 120;

/** A longer file has a second idea. JSON is generated. */
const FILE_LINES_MAX = 300;

test("prose keeps to the house rules", () => {
  const found = findings(passages()).map(
    ({ file, line, rule, text }) => `${file}:${line}: ${rule}: ${text}`,
  );
  expect(found).toEqual([]);
});

test.each([
  ["What is stored in ClickHouse.", ["open with the subject or the verb"]],
  ["The agent says hello.", ["programs do not speak"]],
  ["a line that is none", ["use not a valid X"]],
  [
    "so many retries, else it fails",
    ["use at most N, this long, N times", "use otherwise, or name the other case"],
  ],
  ["What is machine learning?", []],
  ["Returns nothing else. Otherwise at most 10 s.", []],
  ["The field `says` is a name.", []],
])("judges %j", (text, rules) => {
  expect(rulesBroken(text)).toEqual(rules);
});

test("reads comments, strings and the text of a page, but no code", () => {
  const source = `/** Returns a box. @param box  the name */
// A comment that goes on
// over two lines.
const sql = "SELECT what FROM boxes WHERE it says";
const text = \`box \${name} is not connected\`;
const page = <p>No box is connected.</p>;`;
  expect(passagesOf("a.tsx", source)).toEqual([
    { file: "a.tsx", line: 1, text: "Returns a box." },
    { file: "a.tsx", line: 1, text: "the name" },
    { file: "a.tsx", line: 2, text: "A comment that goes on over two lines." },
    { file: "a.tsx", line: 5, text: "box X is not connected" },
    { file: "a.tsx", line: 6, text: "No box is connected." },
  ]);
  const page = "# Title\n\nText.\n\n```sh\necho it says\n```\n\n| a cell | another |\n";
  expect(passagesOf("a.md", page).map(({ text }) => text)).toEqual([
    "Title",
    "Text.",
    "a cell",
    "another",
  ]);
});

test("an exported name has one meaning", () => {
  const declared = Map.groupBy(
    sources().flatMap(({ file, text }) =>
      Array.from(
        text.matchAll(
          /^export (?:async )?(?:const|function\*?|(?:abstract )?class|type|interface) (\w+)/gm,
        ),
        ([, name]) => ({ name, file }),
      ),
    ),
    ({ name }) => name,
  );
  const doubled = [...declared].flatMap(([name, places]) => {
    const files = [...new Set(places.map(({ file }) => file))];
    return files.length > 1 ? [`${name}: ${files.join(", ")}`] : [];
  });
  expect(doubled).toEqual([]);
});

test("lines of code and comments have at most 120 characters beside one literal", () => {
  const long = sources().flatMap(({ file, text }) =>
    text.split("\n").flatMap((line, index) => {
      const withoutLiteral = line.replace(/(["'`/]).*\1/, "");
      return withoutLiteral.length > LINE_CHARS_MAX ? [`${file}:${index + 1}`] : [];
    }),
  );
  expect(long).toEqual([]);
});

test("a file of code, style or tests has at most 300 lines", () => {
  const long = tracked(["."], /\.(tsx?|[cm]?js|css|html|sh|sql|ya?ml|toml|service)$/).flatMap(
    ({ file, text }) => {
      const lines = text.trimEnd().split("\n").length;
      return lines > FILE_LINES_MAX ? [`${file}: ${lines} lines`] : [];
    },
  );
  expect(long).toEqual([]);
});

test("zod is imported as a namespace, so that no bundle contains its translations", () => {
  const named = tracked(["."], /\.tsx?$/).filter(({ text }) =>
    /^import .*\{.*\} from "zod"/m.test(text),
  );
  expect(named.map(({ file }) => file)).toEqual([]);
});

const sources = () => tracked(PRODUCT, /\.tsx?$/);

function tracked(paths: readonly string[], name: RegExp): { file: string; text: string }[] {
  const files = execFileSync("git", ["ls-files", "--", ...paths], { cwd: ROOT, encoding: "utf8" });
  return files
    .split("\n")
    .filter((file) => name.test(file))
    .map((file) => ({ file, text: readFileSync(join(ROOT, file), "utf8") }));
}
