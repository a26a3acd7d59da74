/** The judge of all suites must find every kind of error. */
import { expect, test } from "vitest";
import { compare, type OurSide } from "./accounts.ts";
import type { Entry, Outcome } from "./callers.ts";

const entry = (key: string, outcome: Outcome, id: string | null = `id-${key}`): Entry => ({
  callPlan: { key, shape: "ndjson", tokens: 1, tokenMs: 0 },
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
  subject: string,
  entries: Entry[],
  reached: string[],
  ours: OurSide,
  problem: RegExp | null,
][] = [
  [
    "accepts ledgers that agree",
    [entry("a", "whole"), entry("b", "errored")],
    ["a", "b"],
    ours(row("a"), row("b", "error")),
    null,
  ],
  [
    "accepts a call that was killed before it arrived",
    [entry("a", "unanswered", null)],
    [],
    ours(),
    null,
  ],
  [
    "accepts a record of a call without an answer",
    [entry("a", "unanswered", null)],
    ["a"],
    ours(row("a", "error")),
    null,
  ],
  ["finds a lost record", [entry("a", "whole")], ["a"], ours(), /has no record/],
  [
    "finds a lost record of a call that reached Ollama",
    [entry("a", "unanswered", null)],
    ["a"],
    ours(),
    /has no record/,
  ],
  [
    "finds a call that counts twice",
    [entry("a", "whole")],
    ["a"],
    ours(row("a"), row("a", "success", "id-other")),
    /has 2 records/,
  ],
  [
    "finds a call that counts twice although it did not arrive",
    [entry("a", "unanswered", null)],
    [],
    ours(row("a"), row("a", "error", "x")),
    /has 2 records/,
  ],
  [
    "finds an id that counts twice",
    [entry("a", "whole")],
    ["a"],
    ours(row("a"), row("a")),
    /more than one record/,
  ],
  [
    "finds a record with another id",
    [entry("a", "whole")],
    ["a"],
    ours(row("a", "success", "id-other")),
    /another id/,
  ],
  ["finds a record without a call", [], [], ours(row("a")), /made no such call/],
  [
    "finds an error that counts as a success",
    [entry("a", "errored")],
    ["a"],
    ours(row("a")),
    /recorded as a success/,
  ],
  [
    "finds a complete answer that counts as cancelled",
    [entry("a", "whole")],
    ["a"],
    ours(row("a", "cancelled")),
    /recorded as cancelled/,
  ],
  [
    "finds a wrong counter",
    [entry("a", "whole")],
    ["a"],
    { rows: [row("a")], counted: 2, exported: 1 },
    /the counter is 2/,
  ],
  [
    "finds a wrong metric",
    [entry("a", "whole")],
    ["a"],
    { rows: [row("a")], counted: 1, exported: 0 },
    /ollama_requests_total is 0/,
  ],
];

test.each(CASES)("%s", (_what, entries, reached, side, problem) => {
  const { problems } = compare(entries, new Set(reached), side);
  if (problem === null) expect(problems).toEqual([]);
  else expect(problems.join("\n")).toMatch(problem);
});
