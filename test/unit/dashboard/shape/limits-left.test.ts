import { expect, test } from "vitest";
import { limitRows, rowsOfKey } from "../../../../dashboard/shape/limits-left.ts";
import { NO_USAGE } from "../../../../protocol/api/keys.ts";

const resets_at = "2027-01-02T00:00:00.000Z";
const of = (limit: number, used: number, reserved = 0) => ({
  limit,
  used,
  reserved,
  remaining: Math.max(0, limit - used - reserved),
  resets_at,
});

test("each limit has a row, in units that people read", () => {
  const rows = limitRows(
    {
      money: { month: of(5, 1.25) },
      parallel: { now: { ...of(4, 1), resets_at: null } },
      tokens: { day: of(200_000, 1_200, 400) },
      wh: { month: of(500, 0) },
    },
    "EUR",
  );
  expect(rows.map(({ name, text, resetsAt }) => [name, text, resetsAt])).toEqual([
    ["Calls at once", "3 of 4 left", null],
    ["Tokens per day", "198\u202fk of 200\u202fk left, 400 reserved", resets_at],
    ["Energy per month", "500 Wh of 500 Wh left", resets_at],
    ["Cost per month", expect.stringMatching(/3[.,]75.* of .*5.* left/), resets_at],
  ]);
  expect(rows.map(({ percent }) => percent)).toEqual([25, 0.8, 0, 25]);
});

test("a limit that is reached states what was used, which may exceed it", () => {
  const [row] = limitRows({ tokens: { day: of(1_000, 1_150) } }, null);
  expect(row).toMatchObject({ text: "1,150 of 1,000 used", percent: 100, isReached: true });
  // Reserved amounts may come back.
  const [reserved] = limitRows({ tokens: { day: of(1_000, 600, 500) } }, null);
  expect(reserved).toMatchObject({ text: "0 of 1,000 left, 500 reserved", isReached: true });
});

test("an unknown rest has no row", () => {
  expect(rowsOfKey({ left: undefined, usage: NO_USAGE })).toEqual([]);
  expect(rowsOfKey({ left: null, usage: NO_USAGE })).toEqual([]);
});
