import { expect, test } from "vitest";
import { RecentTokens } from "../../../../worker/counting/recent.ts";

test("tokens count for a minute after their request finished", () => {
  const recent = new RecentTokens();
  recent.add(100_500, 600);
  recent.add(130_000, 300);
  expect(recent.rate(131_000)).toBe(15);
  expect(recent.rate(159_999)).toBe(15);
  expect(recent.rate(160_000)).toBe(5);
  expect(recent.rate(190_000)).toBe(0);
});
