/** The limits of a key, counted by one object. */
import { expect, test } from "vitest";
import type { KeyLimits } from "../../../../protocol/api/keys.ts";
import { admitted, type KeyCount, NO_COUNT, released } from "../../../../worker/keys/limits.ts";

const limits = (more: Partial<KeyLimits>): KeyLimits => ({
  parallel: null,
  requests: null,
  ...more,
});
const at = (text: string) => Date.parse(text);

/** Offers calls one after another, each at its time. Returns which were admitted. */
function offered(of: KeyLimits, times: readonly number[], isParallel = false) {
  let count: KeyCount = NO_COUNT;
  return times.map((ms, n) => {
    const result = admitted(count, of, `call-${n}`, ms);
    if ("reached" in result) return result.reached;
    count = isParallel ? result.count : released(result.count, `call-${n}`);
    return "admitted";
  });
}

test("admits exactly as many open calls as the limit, and one more when one has ended", () => {
  const of = limits({ parallel: 10 });
  const results = offered(of, Array(1_000).fill(0), true);
  expect(results.filter((result) => result === "admitted")).toHaveLength(10);
  expect(results.at(-1)).toMatchObject({ limit: "parallel calls", max: 10, resetMs: null });
  expect(offered(of, Array(1_000).fill(0))).not.toContainEqual(
    expect.objectContaining({ max: 10 }),
  );
});

test("counts a call once, even if it is offered again", () => {
  const first = admitted(NO_COUNT, limits({ requests: { day: 1 } }), "call", 0);
  if ("reached" in first) throw new Error("the first call was refused");
  expect(admitted(first.count, limits({ requests: { day: 1 } }), "call", 1)).toEqual(first);
});

test.each<[period: "minute" | "day" | "month", last: string, reset: string]>([
  ["minute", "2027-01-31T23:58:59.999Z", "2027-01-31T23:59:00.000Z"],
  ["day", "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00.000Z"],
  ["month", "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00.000Z"],
  ["month", "2028-12-31T23:59:59.999Z", "2029-01-01T00:00:00.000Z"],
])("the requests of a %s are counted from its start in UTC", (period, last, reset) => {
  const of = limits({ requests: { [period]: 2 } });
  const results = offered(of, [at(last), at(last), at(last), at(reset), at(reset), at(reset)]);
  expect(results.map((result) => result === "admitted")).toEqual([
    true,
    true,
    false,
    true,
    true,
    false,
  ]);
  expect(results[2]).toEqual({
    limit: `requests per ${period}`,
    max: 2,
    resetMs: at(reset),
    waitMs: 1,
  });
});

test("a refused call uses up no other limit", () => {
  const of = limits({ requests: { minute: 1, day: 2 } });
  const noon = at("2027-01-01T12:00:00Z");
  const results = offered(of, [noon, noon + 1, noon + 60_000, noon + 120_000]);
  expect(results.map((result) => (result === "admitted" ? result : result.limit))).toEqual([
    "admitted",
    "requests per minute",
    "admitted",
    "requests per day",
  ]);
});

test("a clock that is set back opens no window again", () => {
  const of = limits({ requests: { minute: 1 } });
  const noon = at("2027-01-01T12:00:00Z");
  expect(offered(of, [noon, noon - 3_600_000]).map((each) => each === "admitted")).toEqual([
    true,
    false,
  ]);
});
