import { expect, test } from "vitest";
import { costPeriods } from "../../../../worker/answers/cost-periods.ts";
import { costRows } from "../../../../worker/answers/costs.ts";
import {
  COSTS_DAY as DAY,
  costsParts as parts,
  requestPart as request,
  COSTS_SCENE as SCENE,
} from "../../../support/costs-scene.ts";

test("divides the rows by week, each with its unused part, and leaves out weeks without any", () => {
  const week = 7 * 86_400;
  const scene = {
    requests: [...SCENE.requests, request(DAY + 2 * week, "atlas", "big", 5)],
    energy: SCENE.energy,
  };
  // 10 March 2026 is a Tuesday.
  const periods = costPeriods(parts(scene), "week");
  expect(periods.map(({ period }) => period)).toEqual(["2026-03-09", "2026-03-23"]);
  expect(periods[1]?.parts).toMatchObject([
    { group: "big", energy_j: 5, unused_energy_j: null, requests: 1, completion_tokens: 500 },
  ]);
  const whole = costRows(parts(SCENE));
  const [first] = periods;
  expect(first?.parts.map(({ group, energy_j }) => [group, energy_j])).toEqual(
    whole.rows.map(({ group, energy_j }) => [group, energy_j]),
  );
  expect(first?.parts.find(({ group }) => group === "big")?.unused_energy_j).toBe(340);
  const weeks = costRows(parts({ ...scene, by: "week" })).rows;
  expect(weeks.map(({ group }) => group)).toEqual(["2026-03-09", "2026-03-23"]);
});

test("divides time by the days of the zone, and names a week by its Monday", () => {
  const at = Date.parse("2026-03-08T23:30:00Z") / 1_000;
  const scene = { requests: [request(at, "atlas", "big", 1)], timeZone: "Europe/Berlin" };
  const nameOf = (length: "day" | "week" | "month") =>
    costPeriods(parts(scene), length).map(({ period }) => period);
  expect([nameOf("day"), nameOf("week"), nameOf("month")]).toEqual([
    ["2026-03-09"],
    ["2026-03-09"],
    ["2026-03"],
  ]);
});
