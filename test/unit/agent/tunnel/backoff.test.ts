import { expect, test } from "vitest";
import { REMOVED_MS_MAX, Redial } from "../../../../agent/tunnel/backoff.ts";
import { GRACE_MS } from "../../../../protocol/limits.ts";
import { seeded } from "../../../support/seeded.ts";

const worst = () => 0.999;
const best = () => 0;

/**
 * Fails dials at these times, after a tunnel that lasted a minute and was lost at 0.
 * @returns the wait after each dial
 */
function waitsAt(timesMs: number[], wasRefused = false, random = worst): number[] {
  const redial = new Redial(-120_000);
  redial.up(-60_000);
  redial.lost(0, false, random);
  return timesMs.map((atMs) => redial.lost(atMs, wasRefused, random));
}

test("dials at once, and then every tenth of a second during the grace period", () => {
  expect(new Redial(0).lost(0, false, worst)).toBeLessThan(25);
  const times = Array.from({ length: GRACE_MS / 1_000 }, (_, second) => second * 1_000);
  expect(Math.max(...waitsAt(times))).toBeLessThanOrEqual(100);
});

test("waits at most half a minute after the grace period", () => {
  const waits = waitsAt([0, 5, 10, 20, 60, 3_600].map((seconds) => GRACE_MS + seconds * 1_000));
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
  expect(waits.at(-1)).toBeLessThanOrEqual(30_000);
  expect(waits.at(-1)).toBeGreaterThan(25_000);
});

test("waits longer after a refusal", () => {
  expect(waitsAt([100], true, best)[0]).toBeGreaterThanOrEqual(2_500);
});

test("a box that has to join again is dialled ever less often, at last every ten minutes", () => {
  const redial = new Redial(0);
  const waits = Array.from({ length: 10 }, () => redial.removed(worst));
  expect(waits[0]).toBeLessThanOrEqual(5_000);
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
  expect(waits.at(-1)).toBeGreaterThan(0.9 * REMOVED_MS_MAX);
  expect(Math.max(...waits)).toBeLessThanOrEqual(REMOVED_MS_MAX);
  redial.up(1);
  expect(redial.removed(worst)).toBeLessThanOrEqual(5_000);
});

test("spreads the dials of agents that lost the same edge", () => {
  expect(waitsAt([1_000], false, best)[0]).toBeLessThan(waitsAt([1_000])[0] ?? 0);
});

/** Dials an edge that drops each tunnel after `holdsMs`. @returns the times of the dials */
function dialsOf(holdsMs: number, untilMs: number): number[] {
  const random = seeded(7);
  const redial = new Redial(0);
  const dials: number[] = [];
  for (let nowMs = 0; nowMs < untilMs; ) {
    dials.push(nowMs);
    redial.up(nowMs);
    nowMs += holdsMs;
    nowMs += redial.lost(nowMs, false, random);
  }
  return dials;
}

test("dials an edge that drops each tunnel at once quickly at first, then rarely", () => {
  const dials = dialsOf(5, 10 * 60_000);
  const during = (fromMs: number, toMs: number) =>
    dials.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
  expect(during(0, GRACE_MS)).toBeGreaterThan(GRACE_MS / 250);
  expect(during(5 * 60_000, 10 * 60_000)).toBeLessThan(130); // Six a second would be 1,800.
  // Often enough that a stream can wait for the next one.
  expect(Math.max(...dials.slice(1).map((atMs, index) => atMs - (dials[index] ?? 0)))).toBeLessThan(
    GRACE_MS / 4,
  );
});

test("starts over after a tunnel that lasted a while", () => {
  const redial = new Redial(0);
  for (let nowMs = 0; nowMs < 5 * 60_000; nowMs += 5_000) {
    redial.up(nowMs);
    redial.lost(nowMs + 5, false, worst);
  }
  redial.up(310_000);
  expect(redial.lost(330_000, false, worst)).toBeLessThan(25);
  expect(redial.lost(330_100, false, worst)).toBeLessThanOrEqual(100);
});

test("gives up hanging dials soon at first, and gives a slow path ever more time", () => {
  const redial = new Redial(0);
  expect(redial.handshakeMs).toBe(2_000);
  const times = Array.from({ length: 8 }, (_, dial) => {
    redial.lost(dial * 5_000, false, worst);
    return redial.handshakeMs;
  });
  expect(times).toEqual([2_000, 4_000, 6_000, 8_000, 10_000, 10_000, 10_000, 10_000]);
  redial.up(100_000);
  redial.lost(160_000, false, worst);
  expect(redial.handshakeMs).toBe(2_000);
});
