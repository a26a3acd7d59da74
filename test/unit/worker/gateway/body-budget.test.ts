import { expect, test } from "vitest";
import { GatewayError } from "../../../../worker/errors.ts";
import { BodyBudget, SMALL_BODY_BYTES } from "../../../../worker/gateway/body-budget.ts";

const LARGE = 4 * SMALL_BODY_BYTES;
const FOREVER_MS = 60_000;
const stays = () => new AbortController().signal;

const reasonOf = (taking: Promise<unknown>): Promise<string> =>
  taking.then(
    () => "taken",
    (error: unknown) => (error instanceof GatewayError ? error.failure.reason : String(error)),
  );

test("lets large bodies wait for each other, in order of arrival", async () => {
  const budget = new BodyBudget(2 * LARGE, FOREVER_MS);
  const [first, second] = [await budget.take(LARGE, stays()), await budget.take(LARGE, stays())];
  const order: string[] = [];
  const third = budget.take(2 * LARGE, stays()).then((release) => {
    order.push("third");
    return release;
  });
  const fourth = budget.take(LARGE, stays()).then((release) => {
    order.push("fourth");
    return release;
  });
  first();
  await Promise.resolve();
  expect(order).toEqual([]); // the fourth would fit, but the third was earlier
  second();
  (await third)();
  (await fourth)();
  expect(order).toEqual(["third", "fourth"]);
  expect(budget.freeBytes).toBe(2 * LARGE);
});

test("never lets a small body wait", async () => {
  const budget = new BodyBudget(LARGE, FOREVER_MS);
  await budget.take(LARGE, stays());
  expect(await reasonOf(budget.take(SMALL_BODY_BYTES, stays()))).toBe("taken");
});

test("refuses a body that has waited too long, and goes on with those behind it", async () => {
  const budget = new BodyBudget(2 * LARGE, 20);
  const release = await budget.take(LARGE, stays());
  const tooLarge = reasonOf(budget.take(2 * LARGE, stays()));
  const behind = budget.take(LARGE, stays());
  expect(await tooLarge).toBe("edge_busy");
  (await behind)();
  release();
  expect(budget.freeBytes).toBe(2 * LARGE);
});

test("forgets a waiting body whose caller leaves", async () => {
  const budget = new BodyBudget(LARGE, FOREVER_MS);
  const release = await budget.take(LARGE, stays());
  const caller = new AbortController();
  const left = reasonOf(budget.take(LARGE, caller.signal));
  const behind = budget.take(LARGE, stays());
  caller.abort();
  expect(await left).toBe("caller_left");
  release();
  (await behind)();
  expect(budget.freeBytes).toBe(LARGE);
});

test("gives bytes back once, however often they are released", async () => {
  const budget = new BodyBudget(2 * LARGE, FOREVER_MS);
  const release = await budget.take(LARGE, stays());
  await budget.take(LARGE, stays());
  release();
  release();
  expect(budget.freeBytes).toBe(LARGE);
});
