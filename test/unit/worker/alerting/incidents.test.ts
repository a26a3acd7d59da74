import { describe, expect, test } from "vitest";
import type { Concern } from "../../../../protocol/concern.ts";
import { CONCERN_LASTS_S } from "../../../../protocol/concern-timing.ts";
import { CONCERN_CODES } from "../../../../protocol/concerns.ts";
import { CLOSES_AFTER_MS, type Incident, judge } from "../../../../worker/alerting/incidents.ts";

const START = Date.parse("2026-11-24T12:00:00Z");
const SECOND_MS = 1_000;

const hot = (celsius = 88): Concern => ({
  code: "gpu_hot",
  severity: celsius > 90 ? "critical" : "warning",
  subject: { kind: "gpu", box: "atlas", index: 0 },
  since: null,
  params: { temperature_c: celsius },
});
const down = (box: string, atMs: number): Concern => ({
  code: "box_down",
  severity: "critical",
  subject: { kind: "box", box },
  since: new Date(atMs).toISOString(),
  params: {},
});
const lost: Concern = {
  code: "records_lost",
  severity: "critical",
  subject: { kind: "box", box: "atlas" },
  since: null,
  params: { records: 3 },
};

/** Judges every ten seconds, and returns what began and ended, with the seconds since the start. */
function told(seconds: number, concernsAt: (second: number) => Concern[]): string[] {
  let incidents: Incident[] = [];
  const lines: string[] = [];
  for (let second = 0; second <= seconds; second += 10) {
    const judged = judge(incidents, concernsAt(second), START + second * SECOND_MS);
    ({ incidents } = judged);
    for (const { concern } of judged.opened) lines.push(`${second} begins ${concern.code}`);
    for (const { concern } of judged.closed) lines.push(`${second} ends ${concern.code}`);
  }
  return lines;
}

describe("an incident", () => {
  test("begins once the concern has lasted, and ends once it has stayed away", () => {
    expect(told(1_000, (s) => (s < 600 ? [hot()] : []))).toEqual([
      "300 begins gpu_hot",
      "660 ends gpu_hot",
    ]);
  });

  test("does not begin by a moment", () => {
    expect(told(1_000, (s) => (s < 200 ? [hot()] : []))).toEqual([]);
  });

  test("is one while the figure moves around its threshold, whatever its severity", () => {
    const wavers = (s: number) => (s % 60 < 30 ? [hot(s % 120 === 0 ? 95 : 88)] : []);
    expect(told(3_600, wavers)).toEqual(["300 begins gpu_hot"]);
  });

  test("begins at once if the loss is permanent", () => {
    expect(told(100, () => [lost])).toEqual(["0 begins records_lost"]);
  });

  test("counts from when the concern itself began", () => {
    expect(told(100, () => [down("atlas", START - 200 * SECOND_MS)])).toEqual([
      "0 begins box_down",
    ]);
  });

  test("neither lasts nor ends while its box is down", () => {
    const away = (s: number) => s >= 400 && s < 2_000;
    const events = told(4_000, (s) => [
      ...(away(s) ? [down("atlas", START + 400 * SECOND_MS)] : []),
      ...(s < 400 || (s >= 2_000 && s < 3_000) ? [hot()] : []),
    ]);
    expect(events).toEqual([
      "300 begins gpu_hot",
      "520 begins box_down",
      "2060 ends box_down",
      "3060 ends gpu_hot",
    ]);
  });

  test("about another box goes on while one is down", () => {
    const events = told(1_000, (s) => [down("basil", START), ...(s < 500 ? [hot()] : [])]);
    expect(events).toContain("560 ends gpu_hot");
  });
});

test("time is due when a concern has lasted, or has stayed away, and not otherwise", () => {
  const begun = judge([], [hot()], START);
  expect(begun.dueMs).toBe(START + CONCERN_LASTS_S.gpu_hot * SECOND_MS);
  const open = judge(begun.incidents, [hot()], START + 300 * SECOND_MS);
  expect(open.dueMs).toBeNull();
  const missed = judge(open.incidents, [], START + 400 * SECOND_MS);
  expect(missed.dueMs).toBe(START + 400 * SECOND_MS + CLOSES_AFTER_MS);
});

test("only a beginning, an end and a pause are changes to store", () => {
  const begun = judge([], [hot()], START);
  expect(begun.changed).toHaveLength(1);
  expect(judge(begun.incidents, [hot(89)], START + 10_000).changed).toEqual([]);
  const missed = judge(begun.incidents, [], START + 10_000);
  expect([missed.changed.length, missed.over]).toEqual([1, []]);
  const ended = judge(missed.incidents, [], START + 10_000 + CLOSES_AFTER_MS);
  expect([ended.changed, ended.over]).toEqual([[], begun.changed]);
});

test("every concern has a time after which it causes a message", () => {
  expect(Object.keys(CONCERN_LASTS_S).sort()).toEqual([...CONCERN_CODES].sort());
});
