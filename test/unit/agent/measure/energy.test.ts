import { expect, test } from "vitest";
import { EnergyMeter, GAP_MS, SETTLE_MS } from "../../../../agent/measure/energy.ts";

type Step =
  | ["read", gpu: number, watts: number | null, atMs: number]
  | ["begin" | "end", id: string, atMs: number]
  | ["tick", atMs: number];

const CASES: [rule: string, steps: Step[], joules: Record<string, number | null>][] = [
  [
    "measures constant power",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["read", 0, 100, 1_000],
      ["end", "a", 1_000],
    ],
    { a: 100 },
  ],
  [
    "measures power that rises linearly",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["end", "a", 500],
      ["read", 0, 300, 1_000],
    ],
    { a: 75 },
  ],
  [
    "gives a request between two readings its part of the energy between them",
    [
      ["read", 0, 20, 0],
      ["begin", "a", 250],
      ["end", "a", 750],
      ["read", 0, 220, 1_000],
    ],
    { a: 60 },
  ],
  [
    "divides power equally between two requests while both are open",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["begin", "b", 1_000],
      ["end", "a", 2_000],
      ["end", "b", 3_000],
      ["read", 0, 100, 4_000],
    ],
    { a: 150, b: 150 },
  ],
  [
    "sums the GPUs of the box",
    [
      ["read", 0, 100, 0],
      ["read", 1, 50, 0],
      ["begin", "a", 0],
      ["end", "a", 1_000],
      ["read", 0, 100, 1_500],
      ["read", 1, 50, 1_500],
    ],
    { a: 150 },
  ],
  [
    "does not settle a request until every GPU has been read again",
    [
      ["read", 0, 100, 0],
      ["read", 1, 50, 0],
      ["begin", "a", 0],
      ["end", "a", 1_000],
      ["read", 0, 100, 1_500],
    ],
    { a: null },
  ],
  [
    "settles a request that waits too long for a reading with the last one",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["end", "a", 500],
      ["tick", 500 + SETTLE_MS],
    ],
    { a: 50 },
  ],
  [
    "does not count energy twice after it was settled with the last reading",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["begin", "b", 0],
      ["end", "a", 1_000],
      ["tick", 1_000 + SETTLE_MS],
      ["end", "b", 3_000],
      ["read", 0, 100, 4_000],
    ],
    { a: 50, b: 250 },
  ],
  [
    "is unknown without a GPU",
    [
      ["begin", "a", 0],
      ["end", "a", 1_000],
    ],
    { a: null },
  ],
  [
    "is unknown for a GPU that does not report its power",
    [
      ["read", 0, null, 0],
      ["begin", "a", 0],
      ["read", 0, null, 1_000],
      ["end", "a", 1_000],
    ],
    { a: null },
  ],
  [
    "is unknown if one of two GPUs does not report its power",
    [
      ["read", 0, 100, 0],
      ["read", 1, null, 0],
      ["begin", "a", 0],
      ["end", "a", 500],
      ["read", 0, 100, 1_000],
      ["read", 1, null, 1_000],
    ],
    { a: null },
  ],
  [
    "is unknown for requests open at a reading without a number, or before the next number",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["read", 0, null, 1_000],
      ["begin", "b", 1_500],
      ["end", "a", 1_800],
      ["read", 0, 100, 2_000],
      ["end", "b", 2_500],
      ["begin", "c", 2_500],
      ["end", "c", 3_000],
      ["read", 0, 100, 3_000],
    ],
    { a: null, b: null, c: 50 },
  ],
  [
    "is unknown across a gap in the readings",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["read", 0, 100, GAP_MS + 1],
      ["end", "a", GAP_MS + 2],
      ["read", 0, 100, GAP_MS + 3],
    ],
    { a: null },
  ],
  [
    "bridges a short pause in the readings",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["end", "a", GAP_MS],
      ["read", 0, 100, GAP_MS],
    ],
    { a: 500 },
  ],
  [
    "is unknown for a request that begins after the readings have stopped",
    [
      ["read", 0, 100, 0],
      ["begin", "a", GAP_MS + 1],
      ["end", "a", GAP_MS + 2],
    ],
    { a: null },
  ],
  [
    "is unknown for requests open when a GPU disappears, and uses the other GPUs for later ones",
    [
      ["read", 0, 100, 0],
      ["read", 1, 100, 0],
      ["begin", "a", 0],
      ["read", 0, 100, 3_000],
      ["read", 0, 100, 6_000],
      ["begin", "b", 6_000],
      ["end", "a", 7_000],
      ["end", "b", 7_000],
      ["read", 0, 100, 8_000],
    ],
    { a: null, b: 50 },
  ],
  [
    "is unknown for a request that began before the first reading",
    [
      ["begin", "a", 0],
      ["read", 0, 100, 100],
      ["end", "a", 500],
      ["read", 0, 100, 1_000],
    ],
    { a: null },
  ],
];

test.each(CASES)("energy: %s", (_rule, steps, joules) => {
  const meter = new EnergyMeter();
  for (const step of steps) {
    if (step[0] === "read") meter.read(step[1], step[2], step[3]);
    else if (step[0] === "tick") meter.tick(step[1]);
    else meter[step[0]](step[1], step[2]);
  }
  expect(Object.fromEntries(Object.keys(joules).map((id) => [id, meter.joulesOf(id)]))).toEqual(
    joules,
  );
});

test("settles a request at once if its energy cannot be known, otherwise with the next reading or after a wait", () => {
  const meter = new EnergyMeter();
  meter.begin("a", 0);
  meter.end("a", 10);
  meter.read(0, 100, 20);
  for (const id of ["b", "c"]) {
    meter.begin(id, 30);
    meter.end(id, 40);
  }
  expect([meter.isSettled("a"), meter.isSettled("b"), meter.isSettled("never seen")]).toEqual([
    true,
    false,
    true,
  ]);
  meter.tick(39 + SETTLE_MS);
  expect(meter.isSettled("b")).toBe(false);
  meter.tick(40 + SETTLE_MS);
  expect([meter.isSettled("b"), meter.isSettled("c")]).toEqual([true, true]);
  meter.begin("d", 3_000);
  meter.end("d", 4_000);
  meter.settleNow();
  expect(meter.joulesOf("d")).toBe(100);
});

test("keeps only the newest energies of requests that are never delivered", () => {
  const meter = new EnergyMeter();
  meter.read(0, 100, 0);
  for (let n = 0; n < 10_050; n++) {
    meter.begin(`r${n}`, n / 100);
    meter.end(`r${n}`, n / 100 + 0.01);
    meter.settleNow();
  }
  expect([
    meter.joulesOf("r0"),
    meter.joulesOf("r49"),
    meter.joulesOf("r50"),
    meter.joulesOf("r10049"),
  ]).toEqual([null, null, 0.001, 0.001]);
});
