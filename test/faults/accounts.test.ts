/** The judge of all suites must see what is wrong. */
import { expect, test } from "vitest";
import { compare, type OurSide } from "./accounts.ts";
import type { Entry, Outcome } from "./callers.ts";

const entry = (key: string, outcome: Outcome, id: string | null = `id-${key}`): Entry => ({
  ask: { key, shape: "ndjson", tokens: 1, tokenMs: 0 },
  id,
  status: id === null ? null : 200,
  outcome,
  why: "",
  bytes: 0,
  totalMs: 0,
});
const row = (
  key: string,
  status: "success" | "error" | "cancelled" = "success",
  id = `id-${key}`,
) => ({ id, user_agent: key, status });
const ours = (...rows: OurSide["rows"]): OurSide => ({
  rows,
  counted: rows.length,
  exported: rows.length,
});

const CASES: [
  what: string,
  entries: Entry[],
  asked: string[],
  ours: OurSide,
  problem: RegExp | null,
][] = [
  [
    "all is well",
    [entry("a", "whole"), entry("b", "told")],
    ["a", "b"],
    ours(row("a"), row("b", "error")),
    null,
  ],
  ["a call was killed before anybody heard it", [entry("a", "unanswered", null)], [], ours(), null],
  [
    "a call without an answer has a row all the same",
    [entry("a", "unanswered", null)],
    ["a"],
    ours(row("a", "error")),
    null,
  ],
  ["a record is lost", [entry("a", "whole")], ["a"], ours(), /has no row/],
  [
    "a record of a call that Ollama heard is lost",
    [entry("a", "unanswered", null)],
    ["a"],
    ours(),
    /has no row/,
  ],
  [
    "a call counts twice",
    [entry("a", "whole")],
    ["a"],
    ours(row("a"), row("a", "success", "id-other")),
    /has 2 rows/,
  ],
  [
    "a call counts twice that nobody heard",
    [entry("a", "unanswered", null)],
    [],
    ours(row("a"), row("a", "error", "x")),
    /has 2 rows/,
  ],
  [
    "an id counts twice",
    [entry("a", "whole")],
    ["a"],
    ours(row("a"), row("a")),
    /more than one row/,
  ],
  [
    "a row has another id",
    [entry("a", "whole")],
    ["a"],
    ours(row("a", "success", "id-other")),
    /another id/,
  ],
  ["a row is of nobody", [], [], ours(row("a")), /made no such call/],
  [
    "an error counts as success",
    [entry("a", "told")],
    ["a"],
    ours(row("a")),
    /recorded as a success/,
  ],
  [
    "a whole answer counts as cancelled",
    [entry("a", "whole")],
    ["a"],
    ours(row("a", "cancelled")),
    /recorded as cancelled/,
  ],
  [
    "the counter is off",
    [entry("a", "whole")],
    ["a"],
    { rows: [row("a")], counted: 2, exported: 1 },
    /the counter says 2/,
  ],
  [
    "the metric is off",
    [entry("a", "whole")],
    ["a"],
    { rows: [row("a")], counted: 1, exported: 0 },
    /ollama_requests_total says 0/,
  ],
];

test.each(CASES)("%s", (_what, entries, asked, side, problem) => {
  const { problems } = compare(entries, new Set(asked), side);
  if (problem === null) expect(problems).toEqual([]);
  else expect(problems.join("\n")).toMatch(problem);
});
