/**
 * The prose of this repository, and the habits that `docs/style.md` bans from it.
 *
 * Prose is every comment, every string of three words or more, the text of the page, and Markdown outside
 * of code. Run as a program it prints what it finds: `node test/support/prose.ts [path ...]`.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync, Visitor } from "vite";
import { ROOT } from "../../local/edge.ts";

export type Passage = { file: string; line: number; text: string };
export type Finding = Passage & { rule: string };

/** Text written for another purpose: sample answers of a model, and recorded output of other programs. */
const NOT_OURS = [
  /^package-lock\.json$/,
  /^monitoring\/grafana-dashboard\.json$/,
  /^simulated\/(text|examples)\.ts$/,
  /^test\/(tidy\.test|support\/(prose|contract\/seed-examples))\.ts$/,
  /^test\/unit\/agent\/measure\/samples\//,
];

/** Code in prose is a name, whatever it spells. */
const CODE = /`[^`]*`|\{@link[^}]*\}|https?:\/\/\S+|\$\{[^}]*\}/g;

/** SQL and programs in strings have their own keywords. */
const IS_CODE =
  /\b(SELECT|INSERT|CREATE|UPDATE|DELETE|ALTER|GRANT|WHERE|CASE) |^\s*(import|const|function) |=>/;

const WORDS_MIN = 3;

/** A question may open with What or Who; a statement may not. */
const OPENERS = /^(What|Who|Whom|Whose|Whoever|Whatever|Whether|That of|Those|Of)\b/;
const SMALL_OPENERS = /^(what|who|whoever|those|of)\b/;

const HABITS: Record<string, RegExp> = {
  "programs do not speak":
    /\b(says?|said|saying|tells?|told|telling|hears?|heard|hearing|asks|asked|asking)\b/i,
  "programs have no words": /\b(in|its|their|our|own|other|whose|the caller's|ollama's) words\b/i,
  "use at most N, this long, N times": /\bso (many|long|much)\b/i,
  "use rarely, again, permanently, forever":
    /\b(seldom|anew|for good|for ever|lest|whomever|whoever)\b/i,
  "use otherwise, or name the other case":
    /(?<!\b(?:nothing|anything|something|someone|anyone|everyone|everything|nobody|somebody|anybody|nowhere|anywhere|elsewhere|if|one|what|who|no one)) else\b|\bElse\b/,
  "use if configured, if any": /\bwhere there (is|are|was|were)\b/i,
  "use not a valid X": /\b(is|are|was|were) none\b|\bno [a-z-]+ that\b/i,
};

/** The passages of the tracked files below these paths; of all when none is given. */
export function passages(paths: readonly string[] = []): Passage[] {
  const files = execFileSync("git", ["ls-files", "--", ...paths], { cwd: ROOT, encoding: "utf8" });
  return files
    .split("\n")
    .filter((file) => file !== "" && !NOT_OURS.some((pattern) => pattern.test(file)))
    .flatMap((file) => passagesOf(file, readFileSync(join(ROOT, file), "utf8")));
}

export function findings(found: readonly Passage[]): Finding[] {
  return found.flatMap((passage) =>
    rulesBroken(passage.text).map((rule) => ({ ...passage, rule })),
  );
}

/** The rules that a text breaks, each once. */
export function rulesBroken(text: string): string[] {
  const plain = text.replaceAll(CODE, "X");
  const broken = Object.entries(HABITS).flatMap(([rule, habit]) =>
    habit.test(plain) ? [rule] : [],
  );
  const sentences = plain
    .split(/(?<=[.!?])\s+(?=[A-Z])|\n\s*\n/)
    .map((sentence) => sentence.trim());
  const opensBadly = sentences.some(
    (sentence) => OPENERS.test(sentence) && !sentence.endsWith("?"),
  );
  if (opensBadly || (SMALL_OPENERS.test(plain) && !plain.endsWith("?")))
    broken.push("open with the subject or the verb");
  return broken;
}

export function passagesOf(file: string, source: string): Passage[] {
  const at = (offset: number, text: string): Passage => ({
    file,
    line: source.slice(0, offset).split("\n").length,
    text: text.trim(),
  });
  if (/\.(ts|tsx|cjs)$/.test(file))
    return inCode(file, source).map(([offset, text]) => at(offset, text));
  if (/\.md$/.test(file)) return inMarkdown(source).map(([offset, text]) => at(offset, text));
  if (/\.css$/.test(file))
    return Array.from(source.matchAll(/\/\*([\s\S]*?)\*\//g), (m) =>
      at(m.index, unstarred(m[1] ?? "")),
    );
  if (/\.(sh|ya?ml|toml|service|sql)$|\.ci\/run$/.test(file))
    return Array.from(source.matchAll(/^.*\S.*$/gm), (m) =>
      at(m.index, m[0].replace(/^\s*(#|--)\s?/, "")),
    );
  return [];
}

type Located = [offset: number, text: string];

function inCode(file: string, source: string): Located[] {
  const { program, comments } = parseSync(file.replace(/\.cjs$/, ".js"), source);
  const found: Located[] = [];
  let previous: { end: number; text: Located } | null = null;
  for (const { type, value, start, end } of comments) {
    const isContinued =
      type === "Line" && previous !== null && /^\s*\n?\s*$/.test(source.slice(previous.end, start));
    if (isContinued && previous !== null) {
      previous.text[1] += ` ${value.trim()}`;
      previous.end = end;
      continue;
    }
    const text: Located = [start, unstarred(value)];
    found.push(text);
    previous = type === "Line" ? { end, text } : null;
  }
  const add = (offset: number, text: string) => {
    if (text.trim().split(/\s+/).length >= WORDS_MIN && !IS_CODE.test(text))
      found.push([offset, text]);
  };
  new Visitor({
    Literal: (node) => {
      if (typeof node.value === "string") add(node.start, node.value);
    },
    TemplateLiteral: (node) =>
      add(node.start, node.quasis.map(({ value }) => value.cooked ?? value.raw).join("X")),
    JSXText: (node) => add(node.start, node.value.replaceAll(/\s+/g, " ")),
  }).visit(program);
  return found.flatMap(tagged);
}

/** A doc comment as its parts: the description, then each `@tag` without its name and parameter. */
function tagged([offset, text]: Located): Located[] {
  const parts = text.split(
    /(?:^|\s)@(?:param\s+\S+|returns?|throws(?:\s+\{[^}]*\})?|see|example)\s+/,
  );
  return parts.filter((part) => part.trim() !== "").map((part) => [offset, part]);
}

const unstarred = (comment: string): string =>
  comment
    .replaceAll(/^\s*\*+ ?/gm, "")
    .replaceAll(/(\S)\n(?=\S)/g, "$1 ")
    .trim();

function inMarkdown(source: string): Located[] {
  const blank = (text: string) => text.replaceAll(/[^\n]/g, " ");
  const prose = source
    .replaceAll(/^ *```[\s\S]*?^ *```/gm, blank)
    .replaceAll(/<!--[\s\S]*?-->/g, blank);
  const found: Located[] = [];
  for (const block of prose.matchAll(/(?:^.*\S.*$\n?)+/gm)) {
    // Cells of a table and items of a list stand alone.
    const pieces = block[0].split(/\||^\s*(?:[-*]|\d+\.)\s+|^#+\s+|^>\s*/m);
    let from = block.index;
    for (const piece of pieces) {
      const offset = source.indexOf(piece, from);
      if (piece.trim() !== "") found.push([offset, piece.replaceAll(/\s+/g, " ")]);
      from = Math.max(from, offset);
    }
  }
  return found;
}

if (import.meta.main) {
  const found = findings(passages(process.argv.slice(2)));
  for (const { file, line, rule, text } of found)
    console.log(`${file}:${line}: ${rule}: ${text.replaceAll(/\s+/g, " ").slice(0, 160)}`);
  console.log(`${found.length} found`);
}
