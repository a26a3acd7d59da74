import { expect, test } from "vitest";
import { EnergyMeter, SETTLE_MS } from "../../../../agent/measure/energy.ts";
import { CASES, METHODS } from "./energy-cases.ts";

test.each(CASES)("energy: %s", (rule, steps, joules) => {
  const meter = new EnergyMeter();
  for (const step of steps) {
    if (step[0] === "read") meter.read(step[1], step[2], step[3]);
    else if (step[0] === "mean") meter.read(step[1], step[2], step[3], "mean");
    else if (step[0] === "tick") meter.tick(step[1]);
    else meter[step[0]](step[1], step[2]);
  }
  for (const [id, expected] of Object.entries(joules)) {
    const energy = meter.energyOf(id);
    if (expected === null) expect(energy).toBeNull();
    else {
      expect(energy?.joules).toBeCloseTo(expected, 2);
      expect(energy?.method).toBe(METHODS[rule] ?? "instant");
    }
  }
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
  meter.read(0, 100, 3_000);
  meter.begin("d", 3_000);
  meter.end("d", 3_100);
  meter.settleNow();
  expect(meter.energyOf("d")).toEqual({ joules: 10, method: "instant" });
});

test("reports when the first request begins and the last one ends, once each", () => {
  const meter = new EnergyMeter();
  const seen: boolean[] = [];
  meter.onBusy = (isBusy) => seen.push(isBusy);
  meter.begin("a", 0);
  meter.begin("b", 1);
  meter.end("a", 2);
  meter.end("a", 3);
  expect(seen).toEqual([true]);
  meter.end("b", 4);
  meter.end("b", 5);
  expect(seen).toEqual([true, false]);
});

test("shares the power of a GPU only among the requests whose model it holds", () => {
  const meter = new EnergyMeter();
  meter.gpusOf = (model) => ({ small: new Set([0]), large: new Set([0, 1]) })[model] ?? null;
  for (let atMs = 0; atMs <= 1_000; atMs += 100) {
    meter.read(0, 100, atMs);
    meter.read(1, 300, atMs);
    meter.read(2, 7, atMs);
    if (atMs === 0) for (const model of ["small", "large", "new"]) meter.begin(model, 0, model);
  }
  for (const model of ["small", "large", "new"]) meter.end(model, 1_000);
  const third = 100 / 3;
  expect(meter.energyOf("small")?.joules).toBeCloseTo(third, 2);
  expect(meter.energyOf("large")?.joules).toBeCloseTo(third + 150, 2);
  expect(meter.energyOf("new")?.joules).toBeCloseTo(third + 150 + 7, 2);
});

test("keeps only the newest energies of requests that are never delivered", () => {
  const meter = new EnergyMeter();
  for (let n = 0; n < 10_050; n++) {
    meter.read(0, 100, n * 100);
    meter.begin(`r${n}`, n * 100);
    meter.end(`r${n}`, n * 100 + 10);
    meter.settleNow();
  }
  expect(["r0", "r49", "r50", "r10049"].map((id) => meter.energyOf(id)?.joules ?? null)).toEqual([
    null,
    null,
    1,
    1,
  ]);
});

test("counts energy apart while requests are open, while only a model is loaded, and otherwise", () => {
  const meter = new EnergyMeter();
  const second = (fromMs: number) => {
    for (let atMs = fromMs + 100; atMs <= fromMs + 1_000; atMs += 100) meter.read(0, 100, atMs);
  };
  meter.read(0, 100, 0);
  second(0);
  meter.hasModel = true;
  second(1_000);
  meter.begin("a", 2_000);
  second(2_000);
  meter.end("a", 3_000);
  const total = meter.totals.get(0);
  for (const state of ["active", "loaded", "idle"] as const) {
    expect(total?.[state].joules).toBeCloseTo(100, 6);
    expect(total?.[state].seconds).toBeCloseTo(1, 6);
  }
});

test("counts the energy of callers past the agent as theirs, and not as the standing cost of the model", () => {
  const meter = new EnergyMeter();
  let isUsed = false;
  meter.isUsed = () => isUsed;
  const until = (seconds: number, watts: number) => {
    for (let second = now + 1; second <= seconds; second++)
      meter.read(0, watts, second * 1_000, "mean");
    now = seconds;
  };
  let now = -1;
  meter.hasModel = true;
  until(0, 120);
  until(10, 120);
  isUsed = true;
  until(20, 330);
  isUsed = false;
  until(30, 120);
  expect(meter.totals.get(0)).toEqual({
    active: { joules: 3_300, seconds: 10 },
    loaded: { joules: 2_400, seconds: 20 },
    idle: { joules: 0, seconds: 0 },
  });
});

test("does not take the end of a request for a caller past the agent, nor another program for a model", () => {
  const meter = new EnergyMeter();
  meter.isUsed = () => true;
  for (let second = 0; second <= 5; second++) meter.read(0, 100, second * 1_000);
  expect(meter.totals.get(0)?.idle).toEqual({ joules: 500, seconds: 5 });
  meter.hasModel = true;
  meter.begin("a", 5_000);
  meter.read(0, 100, 6_000);
  meter.end("a", 6_000);
  // The utilization of the first readings may still be that of the request.
  meter.read(0, 100, 7_000);
  meter.read(0, 100, 8_000);
  expect(meter.totals.get(0)?.loaded).toEqual({ joules: 200, seconds: 2 });
  meter.read(0, 100, 9_000);
  expect(meter.totals.get(0)?.loaded.seconds).toBe(2);
  expect(meter.totals.get(0)?.active).toEqual({ joules: 200, seconds: 2 });
});
