import { expect, test } from "vitest";
import { Repeater } from "../../../../agent/clock/repeater.ts";

/** A repeater whose timers run when the test fires them. */
function scene(waits: (number | null)[]) {
  const timers: { ms: number; run: () => void }[] = [];
  let sent = 0;
  const repeater = new Repeater(
    () => waits[sent++] ?? null,
    (ms, run) => {
      const timer = { ms, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer) >>> 0, 1);
    },
  );
  const planned = () => timers.map(({ ms }) => ms);
  return { repeater, planned, sent: () => sent, fire: () => timers.shift()?.run() };
}

test("a repeater sends when the tunnel comes up, and again after the time that each sending returns", () => {
  const { repeater, planned, sent, fire } = scene([10, 20, null]);
  repeater.now();
  repeater.within(5);
  expect([sent(), planned()]).toEqual([0, []]);
  repeater.up();
  expect([sent(), planned()]).toEqual([1, [10]]);
  fire();
  expect([sent(), planned()]).toEqual([2, [20]]);
  fire();
  expect([sent(), planned()]).toEqual([3, []]);
});

test("a repeater has at most one planned sending, and none while the tunnel is down", () => {
  const { repeater, planned, sent } = scene([10, 20]);
  repeater.up();
  repeater.within(1);
  expect(planned()).toEqual([10]);
  repeater.now();
  expect([sent(), planned()]).toEqual([2, [20]]);
  repeater.down();
  repeater.within(1);
  repeater.now();
  expect([sent(), planned()]).toEqual([2, []]);
});
