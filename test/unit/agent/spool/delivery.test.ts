/** When records leave, and for whose failures they wait: the request may have moved to another box. */
import { expect, test } from "vitest";
import { Delivery } from "../../../../agent/spool/delivery.ts";
import { decodeFrames, encodeFrames, parsePayload } from "../../../../protocol/frames.ts";
import { WITHHELD_MS } from "../../../../protocol/limits.ts";
import { Records } from "../../../../protocol/messages.ts";
import { Schedule } from "../../../simulation/schedule.ts";
import { idOf, recordOf } from "../../../support/records.ts";

/** A delivery on simulated time, with a spool in memory. `sent`: when which record left. */
function scene(leftOver: readonly number[] = []) {
  const schedule = new Schedule();
  const finished: Records["records"] = [];
  const finish = (n: number) => void finished.push(recordOf(0, {}, n));
  for (const n of leftOver) finish(n);
  let [confirmedTo, isUp] = [0, false];
  const sent: [atMs: number, n: number][] = [];
  const spool = {
    get pending() {
      return finished.length - confirmedTo;
    },
    next: (most: number, isReady: (id: string) => boolean): Records | null => {
      const records: Records["records"] = [];
      for (const record of finished.slice(confirmedTo, confirmedTo + most)) {
        if (!isReady(record.request_id)) break;
        records.push(record);
      }
      return records.length === 0 ? null : { position: confirmedTo + records.length, records };
    },
    confirm: (position: number) => {
      confirmedTo = Math.max(confirmedTo, position);
    },
  };
  const delivery = new Delivery({
    spool,
    energy: { isSettled: () => true, energyOf: () => null },
    send: (frame) => {
      const [read] = decodeFrames(encodeFrames([frame]));
      if (!isUp || read === undefined) return;
      const { position, records } = parsePayload(Records, read.payload);
      for (const { request_id } of records)
        sent.push([schedule.nowMs, Number.parseInt(request_id.slice(-12), 16)]);
      schedule.after(10, () => isUp && delivery.confirmed(position));
    },
    after: (ms, run) => schedule.after(ms, run),
    delayMs: 50,
  });
  const pass = (ms: number) => {
    const untilMs = schedule.nowMs + ms;
    schedule.after(ms, () => {});
    while (schedule.step(untilMs));
  };
  return {
    sent,
    pass,
    finish: (n: number, mayMove = false) => {
      if (mayMove) delivery.withhold(idOf(0, n), WITHHELD_MS);
      finish(n);
      delivery.recordWaits();
    },
    release: (n: number) => delivery.release(idOf(0, n)),
    up: () => {
      isUp = true;
      delivery.up();
    },
    down: () => {
      isUp = false;
      delivery.down();
    },
  };
}

test("a record leaves a moment after its request has ended", () => {
  const { sent, pass, finish, up } = scene();
  up();
  finish(1);
  pass(1_000);
  expect(sent).toEqual([[50, 1]]);
});

test("the record of a request that may move waits, and so do those that an earlier run left", () => {
  const moving = scene();
  moving.up();
  moving.finish(1, true);
  moving.pass(10_000);
  expect(moving.sent).toEqual([[WITHHELD_MS + 50, 1]]);
  const left = scene([1]);
  left.up();
  left.pass(10_000);
  expect(left.sent).toEqual([[WITHHELD_MS + 50, 1]]);
});

test("the record of a request that stays on its box leaves at once, and those that may move wait on", () => {
  const { sent, pass, finish, release, up } = scene();
  up();
  finish(1, true);
  finish(2, true);
  pass(1_000);
  release(1);
  pass(1_000);
  expect(sent).toEqual([[1_050, 1]]);
  pass(WITHHELD_MS);
  expect(sent).toEqual([
    [1_050, 1],
    [WITHHELD_MS + 50, 2],
  ]);
});

test("a request that fails while the tunnel is away moves once it is back: its record waits from then", () => {
  const { sent, pass, finish, up, down } = scene();
  up();
  down();
  finish(1, true);
  pass(10_000);
  up();
  pass(10_000);
  expect(sent).toEqual([[10_000 + WITHHELD_MS + 50, 1]]);
});

test("a record of a failure that the edge may not know waits again after each cut", () => {
  const { sent, pass, finish, up, down } = scene();
  up();
  finish(1, true);
  pass(WITHHELD_MS - 100);
  down();
  pass(1_000);
  up();
  pass(1_000);
  down();
  up();
  pass(10_000);
  expect(sent).toEqual([[WITHHELD_MS - 100 + 2_000 + WITHHELD_MS + 50, 1]]);
});

test("a cut delays no record of requests that stay", () => {
  const { sent, pass, finish, up, down } = scene();
  up();
  finish(1, true);
  pass(WITHHELD_MS + 500);
  finish(2);
  down();
  up();
  pass(5_000);
  expect(sent.map(([, n]) => n)).toEqual([1, 2]);
  expect(sent[1]?.[0]).toBeLessThan(WITHHELD_MS + 500 + 100);
});
