/** The limits of a key, counted by one object. */
import { describe, expect, test } from "vitest";
import type { KeyLimits, LimitPeriod } from "../../../../protocol/api/key-limits.ts";
import {
  admitted,
  endOfCall,
  type KeyCount,
  NO_COUNT,
  settled,
  unsettled,
} from "../../../../worker/keys/limits.ts";
import { leftOf } from "../../../../worker/keys/limits-left.ts";
import { callUse, limitsOf } from "../../../support/key-limits.ts";

const at = (text: string) => Date.parse(text);
const NOON = at("2027-01-01T12:00:00Z");

/** A key, at its object. */
class CountedKey {
  count: KeyCount = NO_COUNT;
  limits: KeyLimits;

  constructor(limits: Partial<KeyLimits>) {
    this.limits = limitsOf(limits);
  }

  /** Offers a call. Returns the limit that it would exceed, or "admitted". */
  offer(id: string, ms = NOON, { box = "atlas", isResume = false } = {}) {
    const { count, reached } = admitted(this.count, this.limits, { id, box, isResume }, ms);
    this.count = count;
    return reached ?? "admitted";
  }

  /** Offers calls one after another, each at its time. */
  offerAll(times: readonly number[]) {
    return times.map((ms, n) => this.offer(`call-${n}`, ms));
  }

  end(id: string, ms = NOON, box: string | null = null): void {
    this.count = endOfCall(this.count, id, box, ms);
  }

  use(id: string, amounts: Parameters<typeof callUse>[0]): void {
    this.count = settled(this.count, id, callUse(amounts));
  }

  /** Makes a call that uses this. */
  call(id: string, amounts: Parameters<typeof callUse>[0], ms = NOON): void {
    expect(this.offer(id, ms)).toBe("admitted");
    this.end(id, ms);
    this.use(id, amounts);
  }

  left(ms = NOON) {
    return leftOf(this.count, this.limits, ms);
  }
}

test("admits exactly as many open calls as the limit, and one more when one has ended", () => {
  const key = new CountedKey({ parallel: 10 });
  const results = key.offerAll(Array(1_000).fill(NOON));
  expect(results.filter((result) => result === "admitted")).toHaveLength(10);
  expect(results.at(-1)).toMatchObject({ limit: "parallel calls", max: 10, resetMs: null });
  key.end("call-3");
  key.end("call-3");
  expect([key.offer("next"), key.offer("one more")]).toMatchObject(["admitted", { max: 10 }]);
});

test("counts a call once, even if it is offered again", () => {
  const key = new CountedKey({ requests: { day: 1 }, parallel: 1 });
  expect([key.offer("call"), key.offer("call")]).toEqual(["admitted", "admitted"]);
  expect(key.left().requests?.day?.used).toBe(1);
});

test("a call that moves counts once, and the box that it left cannot end it", () => {
  const key = new CountedKey({ requests: { day: 1 }, parallel: 1 });
  key.offer("call");
  expect(key.offer("call", NOON, { box: "bree" })).toBe("admitted");
  key.end("call", NOON, "atlas");
  expect(key.left().parallel?.now?.used).toBe(1);
  key.end("call", NOON, "bree");
  expect(key.left()).toMatchObject({
    parallel: { now: { used: 0 } },
    requests: { day: { used: 1 } },
  });
});

test("a call whose box has ended it may move, unless its place was taken", () => {
  const key = new CountedKey({ parallel: 1 });
  key.offer("call");
  key.end("call");
  expect(key.offer("call", NOON, { box: "bree" })).toBe("admitted");
  key.end("call");
  expect(key.offer("other")).toBe("admitted");
  expect(key.offer("call", NOON, { box: "bree" })).toMatchObject({ max: 1 });
});

test("a call that attaches again for its end takes no place", () => {
  const key = new CountedKey({ parallel: 1 });
  key.offer("call");
  key.end("call");
  expect(key.offer("call", NOON, { isResume: true })).toBe("admitted");
  expect(key.offer("other")).toBe("admitted");
});

test.each<[period: LimitPeriod, last: string, reset: string]>([
  ["minute", "2027-01-31T23:58:59.999Z", "2027-01-31T23:59:00.000Z"],
  ["day", "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00.000Z"],
  ["month", "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00.000Z"],
  ["month", "2028-12-31T23:59:59.999Z", "2029-01-01T00:00:00.000Z"],
])("the requests of a %s are counted from its start in UTC", (period, last, reset) => {
  const key = new CountedKey({ requests: { [period]: 2 } });
  const times = [last, last, last, reset, reset, reset].map(at);
  const results = key.offerAll(times);
  expect(results.map((result) => result === "admitted")).toEqual([
    ...[true, true, false],
    ...[true, true, false],
  ]);
  expect(results[2]).toEqual({
    limit: `requests per ${period}`,
    max: 2,
    resetMs: at(reset),
    waitMs: 1,
  });
});

test("a refused call uses up no other limit", () => {
  const key = new CountedKey({ requests: { minute: 1, day: 2 } });
  const results = key.offerAll([NOON, NOON + 1, NOON + 60_000, NOON + 120_000]);
  expect(results.map((result) => (result === "admitted" ? result : result.limit))).toEqual([
    "admitted",
    "requests per minute",
    "admitted",
    "requests per day",
  ]);
});

describe("a clock", () => {
  test("that is set back opens no window again", () => {
    const key = new CountedKey({ requests: { minute: 1 } });
    const results = key.offerAll([NOON, NOON - 3_600_000]);
    expect(results.map((each) => each === "admitted")).toEqual([true, false]);
  });

  test("that was set back opens the next window when it comes", () => {
    const key = new CountedKey({ requests: { minute: 1 } });
    key.offerAll([NOON, NOON - 3_600_000]);
    expect(key.offer("next", NOON - 3_540_000)).toBe("admitted");
  });

  test("that jumps a year ahead and comes back neither forgets a window nor locks the key", () => {
    const key = new CountedKey({ requests: { minute: 1 } });
    const year = 365 * 86_400_000;
    const results = key.offerAll([NOON, NOON + year, NOON, NOON + 60_000]);
    expect(results.map((each) => each === "admitted")).toEqual([true, true, false, true]);
  });
});

describe("the use of calls", () => {
  test.each(["tokens", "wh", "money"] as const)("%s: the limit is reached by records", (unit) => {
    const key = new CountedKey({ [unit]: { day: 100 } });
    key.call("first", { [unit]: 60 });
    key.call("second", { [unit]: 45 });
    expect(key.offer("third")).toMatchObject({ max: 100, resetMs: at("2027-01-02T00:00:00Z") });
    expect(key.left()[unit]?.day).toEqual({
      limit: 100,
      used: 105,
      reserved: 0,
      remaining: 0,
      resets_at: "2027-01-02T00:00:00.000Z",
    });
    expect(key.offer("tomorrow", at("2027-01-02T00:00:00Z"))).toBe("admitted");
  });

  test("open calls reserve what calls of the key used lately, so a flood stays near the limit", () => {
    const key = new CountedKey({ tokens: { day: 1_000 } });
    key.call("before", { tokens: 100 });
    const results = key.offerAll(Array(1_000).fill(NOON));
    expect(results.filter((result) => result === "admitted")).toHaveLength(9);
    expect(results.at(-1)).toMatchObject({ limit: "tokens per day", resetMs: null });
  });

  test("the first calls reserve a tenth of the limit each", () => {
    const key = new CountedKey({ wh: { day: 20, month: 100 } });
    const results = key.offerAll(Array(1_000).fill(NOON));
    expect(results.filter((result) => result === "admitted")).toHaveLength(10);
    expect(key.left().wh).toMatchObject({
      day: { used: 0, reserved: 20, remaining: 0 },
      month: { reserved: 20, remaining: 80 },
    });
  });

  test("a call that used less frees the rest, and one that used more takes it", () => {
    const key = new CountedKey({ tokens: { day: 100 } });
    key.offerAll(Array(10).fill(NOON));
    key.use("call-0", { tokens: 1 });
    expect(key.left().tokens?.day).toMatchObject({ used: 1, reserved: 90, remaining: 9 });
    key.use("call-1", { tokens: 300 });
    key.use("call-1", { tokens: 300 });
    expect(key.left().tokens?.day).toMatchObject({ used: 301, reserved: 80, remaining: 0 });
  });

  test("an unknown amount counts as the expected one, and at least as what is known", () => {
    const key = new CountedKey({ tokens: { day: 1_000 }, wh: { day: 50 } });
    key.call("first", { tokens: 200, wh: 4 });
    key.call("unknown", { tokens: null, wh: null });
    expect(key.left()).toMatchObject({ tokens: { day: { used: 400 } }, wh: { day: { used: 8 } } });
    expect(key.offer("cancelled")).toBe("admitted");
    const known = { known: 500, isWhole: false };
    key.count = settled(key.count, "cancelled", { ...callUse({}), tokens: known });
    expect(key.left().tokens?.day?.used).toBe(900);
  });

  test("a call counts in the window in which it began, also if its record comes later", () => {
    const key = new CountedKey({ tokens: { minute: 100, day: 1_000 } });
    key.offer("long");
    const later = NOON + 60_000;
    key.call("short", { tokens: 5 }, later);
    key.use("long", { tokens: 300 });
    expect(key.left(later).tokens).toMatchObject({ minute: { used: 5 }, day: { used: 305 } });
  });

  test("a call without a record stays reserved, and is listed", () => {
    const key = new CountedKey({ tokens: { month: 100 } });
    key.offer("lost");
    expect(unsettled(key.count, 0, NOON)).toEqual([]);
    key.end("lost");
    expect(unsettled(key.count, 1, NOON)).toEqual([]);
    expect(unsettled(key.count, 1, NOON + 1)).toEqual(["lost"]);
    expect(unsettled(key.count, 1, NOON - 3_600_000)).toEqual(["lost"]);
    expect(key.left(NOON + 86_400_000).tokens?.month).toMatchObject({ reserved: 10 });
  });

  test("eleven hundred calls without a record all count, and the storage keeps the newest", () => {
    const key = new CountedKey({ tokens: { month: 1_000_000 } });
    key.call("before", { tokens: 10 });
    for (let n = 0; n < 1_100; n++) {
      key.offer(`call-${n}`);
      key.end(`call-${n}`);
    }
    expect(JSON.stringify([...key.count.calls]).length).toBeLessThan(500_000);
    const { used = 0, reserved = 0 } = key.left().tokens?.month ?? {};
    expect(used + reserved).toBe(11_010);
  });
});
