import { expect, test } from "vitest";
import { CostRow } from "../../../../protocol/api/costs.ts";
import { type CostsParts, costRows } from "../../../../worker/answers/costs.ts";
import { costsSpan } from "../../../../worker/answers/costs-span.ts";
import { localDay, startOfDay } from "../../../../worker/answers/local-time.ts";
import {
  COSTS_DAY as DAY,
  COSTS_HOUR as HOUR,
  energyPart as hour,
  costsParts as parts,
  requestPart as request,
  COSTS_SCENE as SCENE,
} from "../../../support/costs-scene.ts";
import { seeded } from "../../../support/seeded.ts";

const groups = (rest: Partial<CostsParts>) =>
  costRows(parts(rest)).rows.map((row) => [
    row.group,
    row.request_energy_j,
    row.standing_energy_j,
    row.idle_energy_j,
    row.unassigned_energy_j,
  ]);

test("shows for each model what its requests cost, and what it cost unused", () => {
  expect(groups(SCENE)).toEqual([
    ["big", 700, 340, 0, 0],
    ["small", 200, 40, 0, 0],
    [null, 0, 0, 60, 110],
  ]);
  const [big] = costRows(parts(SCENE)).rows;
  expect(big).toMatchObject({
    requests: 3,
    energy_requests: 2,
    energy_j: 1_040,
    cost: 0.104,
    request_cost: 0.07,
    standing_cost: 0.034,
    co2_g: 104,
    priced_energy_j: 1_040,
    unused_share: 0.326923076923,
  });
});

test("groups by box, by day and by month", () => {
  expect(groups({ ...SCENE, by: "box" })).toEqual([
    ["atlas", 900, 380, 50, 20],
    ["basil", null, 0, 10, 90],
  ]);
  expect(groups({ ...SCENE, by: "day" }).map(([group]) => group)).toEqual([
    "2026-03-10",
    "2026-03-11",
  ]);
  expect(groups({ ...SCENE, by: "month" }).map(([group]) => group)).toEqual(["2026-03"]);
  // Tokyo is nine hours ahead, New York four behind.
  const late = [request(DAY - 2 * HOUR, "atlas", "big", 1)];
  const dayIn = (timeZone: string) => groups({ requests: late, by: "day", timeZone })[0]?.[0];
  expect(dayIn("Asia/Tokyo")).toBe("2026-03-10");
  expect(dayIn("America/New_York")).toBe("2026-03-09");
});

test("with a model it counts only the parts of that model", () => {
  const only = {
    ...SCENE,
    model: "big",
    requests: SCENE.requests.filter(({ model }) => model === "big"),
  };
  expect(groups({ ...only, by: "box" })).toEqual([
    ["atlas", 700, 340, null, null],
    ["basil", null, 0, null, null],
  ]);
});

test("the parts of each row and of the total add up, however it is grouped", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const at = () => DAY + Math.floor(random() * 60 * 24) * HOUR;
    const boxes = ["atlas", "basil", "zeus"];
    const models = ["big", "small", ""];
    const requests = Array.from({ length: 40 }, () =>
      request(at(), pick(boxes), pick(models), random() < 0.2 ? null : random() * 100),
    );
    const energy = Array.from({ length: 60 }, () =>
      hour(at(), pick(boxes), 300 + random() * 100, random() * 100, {
        big: random() * 50,
        small: random() * 50,
      }),
    );
    const totals = (["model", "box", "day", "month"] as const).map((by) => {
      const { rows, total } = costRows(parts({ requests, energy, by }));
      for (const row of [...rows, total]) {
        CostRow.parse(row);
        const sum =
          (row.request_energy_j ?? 0) +
          (row.standing_energy_j ?? 0) +
          (row.idle_energy_j ?? 0) +
          (row.unassigned_energy_j ?? 0);
        if (row.energy_j !== null)
          expect(row.energy_j / (sum || 1), `seed ${seed} ${by}`).toBeCloseTo(sum === 0 ? 0 : 1, 9);
        const cost =
          (row.request_cost ?? 0) +
          (row.standing_cost ?? 0) +
          (row.idle_cost ?? 0) +
          (row.unassigned_cost ?? 0);
        if (row.cost !== null) expect(row.cost, `seed ${seed} ${by}`).toBeCloseTo(cost, 9);
      }
      const sumOf = (field: "energy_j" | "requests" | "cost") =>
        rows.reduce((sum, row) => sum + (row[field] ?? 0), 0);
      expect(sumOf("energy_j"), `seed ${seed} ${by}`).toBeCloseTo(total.energy_j ?? 0, 6);
      expect(sumOf("requests")).toBe(total.requests);
      expect(sumOf("cost")).toBeCloseTo(total.cost ?? 0, 9);
      return total;
    });
    const metered = energy.reduce(
      (sum, { hour: { active, loaded, idle } }) => sum + active.j + loaded.j + idle.j,
      0,
    );
    // By model and box the requests are below what the meter counted, so the total is the integral.
    for (const total of totals.slice(0, 2))
      expect((total.energy_j ?? 0) / metered, `seed ${seed}`).toBeCloseTo(1, 9);
  }
});

test("an older agent without a meter has requests, and unknown idle costs", () => {
  const { rows, total } = costRows(parts({ requests: [request(DAY, "atlas", "big", 100)] }));
  expect(rows[0]).toMatchObject({
    request_energy_j: 100,
    energy_j: 100,
    standing_energy_j: null,
    standing_cost: null,
    unused_share: null,
  });
  expect(total).toMatchObject({ energy_j: 100, idle_energy_j: null, idle_cost: null });
});

test("nothing at all is unknown energy, and no requests are a known 0", () => {
  expect(costRows(parts({})).total).toMatchObject({
    requests: 0,
    energy_j: null,
    request_energy_j: 0,
    cost: null,
    compared_cost: null,
  });
  const { total } = costRows(parts({ energy: [hour(DAY, "atlas", 0, 0, {})] }));
  expect(total).toMatchObject({ energy_j: 0, cost: 0, idle_cost: 0, unused_share: null });
});

test("a price of 0 is a cost of 0, and energy without a price has no cost", () => {
  const free = request(DAY, "atlas", "big", 100, { cost: 0 });
  expect(costRows(parts({ requests: [free] })).total).toMatchObject({
    cost: 0,
    priced_energy_j: 100,
  });
  const unpriced = request(DAY, "atlas", "big", 100, { cost: 0, cost_j: 0, co2_g: 0, co2_j: 0 });
  expect(costRows(parts({ requests: [unpriced] })).total).toMatchObject({
    cost: null,
    request_cost: null,
    co2_g: null,
    priced_energy_j: 0,
  });
  expect(
    costRows(parts({ requests: [request(DAY, "atlas", "big", 1)], currency: null })).total.cost,
  ).toBeNull();
});

test("compares with a price per million tokens", () => {
  const requests = [
    request(DAY, "atlas", "big", 100, {
      prompt_cost: 0.004,
      completion_cost: 0.006,
      priced_prompt_tokens: 1_000,
      priced_completion_tokens: 500,
    }),
  ];
  const comparedWith = { input_per_million: 2, output_per_million: 10 };
  expect(costRows(parts({ requests, comparedWith })).total).toMatchObject({
    cost: 0.01,
    cost_per_million_input: 4,
    cost_per_million_output: 12,
    compared_cost: 0.007,
  });
  const [unknown] = costRows(
    parts({ requests: [request(DAY, "atlas", "big", null)], comparedWith }),
  ).rows;
  expect(unknown).toMatchObject({ cost: null, cost_per_million_input: null, compared_cost: 0.007 });
});

test.each([
  ["2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"],
  ["2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00Z"],
  ["2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00Z"],
  ["2026-01-01", "Asia/Kolkata", "2025-12-31T18:30:00Z"],
  ["2026-01-01", "UTC", "2026-01-01T00:00:00Z"],
  // The clocks skip midnight.
  ["2026-09-06", "America/Santiago", "2026-09-06T04:00:00Z"],
])("the day %s in %s begins at %s", (date, zone, start) => {
  expect(new Date(startOfDay(date, zone)).toISOString().replace(".000", "")).toBe(start);
  expect(localDay(Date.parse(start), zone)).toBe(date);
  expect(localDay(Date.parse(start) - 1, zone) < date).toBe(true);
});

const NOW = Date.parse("2026-11-26T14:20:00Z");
test.each([
  [{}, "UTC", "2026-11-01T00:00:00Z", "2026-11-26T15:00:00Z"],
  [{}, "Europe/Berlin", "2026-10-31T23:00:00Z", "2026-11-26T15:00:00Z"],
  [
    { from: "2026-10-01", to: "2026-11-01" },
    "Europe/Berlin",
    "2026-09-30T22:00:00Z",
    "2026-10-31T23:00:00Z",
  ],
  [
    { from: "2026-10-01", to: "2026-11-01", time_zone: "UTC" },
    "Europe/Berlin",
    "2026-10-01T00:00:00Z",
    "2026-11-01T00:00:00Z",
  ],
  [
    { from: "2026-11-26T10:40:00Z", to: "2026-11-26T11:10:00Z" },
    "UTC",
    "2026-11-26T10:00:00Z",
    "2026-11-26T12:00:00Z",
  ],
])("the query %j in %s covers whole hours", (query, zone, from, to) => {
  const span = costsSpan(query, zone, NOW);
  expect(span).toMatchObject({ from: Date.parse(from) / 1_000, to: Date.parse(to) / 1_000 });
});

test.each([
  [{ from: "2026-11-02", to: "2026-11-02" }, /from must be before to/],
  [{ from: "2026-12-01" }, /from must be before to/],
  [{ from: "2025-01-01" }, /kept for 400 days/],
])("the query %j has no answer", (query, reason) => {
  expect(costsSpan(query, "UTC", NOW)).toEqual({ invalid: expect.stringMatching(reason) });
});
