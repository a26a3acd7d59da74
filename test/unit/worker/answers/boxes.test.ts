import { expect, test } from "vitest";
import { boxesState, problemsOf } from "../../../../worker/answers/boxes.ts";
import type { RegisteredBox } from "../../../../worker/registered-box.ts";
import { helloOf, readingsOf } from "../../../support/records.ts";

const NOW = 1_800_000_000_000;

function boxOf(readings: Partial<RegisteredBox["readings"]> = {}, skewMs = 0): RegisteredBox {
  return {
    name: "atlas",
    hello: helloOf("atlas", { now_ms: NOW + skewMs }),
    state: "up",
    connected_at_ms: NOW,
    last_seen_ms: NOW,
    readings: { ...readingsOf(NOW, []), ...readings, now_ms: NOW + skewMs },
    readings_at_ms: NOW,
    gpus_at_ms: null,
  };
}

const HOUR_MS = 3_600_000;

test.each<[what: string, box: RegisteredBox, isUp: boolean, problems: RegExp[]]>([
  ["a box that is well", boxOf(), true, []],
  [
    "a box that is away, whatever else",
    boxOf({ lost: 3 }, HOUR_MS),
    false,
    [/^box atlas is not connected$/],
  ],
  ["a clock that is a little off", boxOf({}, 29_000), true, []],
  ["a clock that is ahead", boxOf({}, HOUR_MS), true, [/^the clock of box atlas is 3600 s ahead$/]],
  [
    "a clock that is behind",
    boxOf({}, -90 * 24 * HOUR_MS),
    true,
    [/^the clock of box atlas is 7776000 s behind$/],
  ],
  [
    "a box that lost records",
    boxOf({ lost: 3 }),
    true,
    [/^box atlas has lost the records of 3 requests/],
  ],
  ["an agent that does not say whether it lost any", boxOf({ lost: null }), true, []],
])("%s", (_what, box, isUp, problems) => {
  const found = problemsOf(box, isUp);
  expect(found).toHaveLength(problems.length);
  for (const [index, problem] of problems.entries()) expect(found[index]).toMatch(problem);
});

test("a box shows what its agent has lost while it is up; null where it does not say", () => {
  const live = (up: boolean) => [{ name: "atlas", up, in_flight: 0, queue_depth: 0 }];
  const lostOf = (box: RegisteredBox, up: boolean) =>
    boxesState([box], live(up), NOW).boxes[0]?.lost;
  expect([
    lostOf(boxOf({ lost: 2 }), true),
    lostOf(boxOf({ lost: null }), true),
    lostOf(boxOf({ lost: 2 }), false),
  ]).toEqual([2, null, null]);
});
