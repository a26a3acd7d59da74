import { expect, test } from "vitest";
import { jointWait } from "../../../../worker/gateway/joint-wait.ts";

function scene() {
  const given: Promise<unknown>[] = [];
  return { given, waitUntil: jointWait((promise) => given.push(promise)) };
}

/** Resolves to "pending" if the promise is not settled yet. */
const stateOf = (promise: Promise<unknown> | undefined): Promise<unknown> =>
  Promise.race([
    promise?.then(
      () => "over",
      () => "failed",
    ),
    new Promise((resolve) => setImmediate(() => resolve("pending"))),
  ]);

test("gives the runtime one promise, which ends with the last of all", async () => {
  const { given, waitUntil } = scene();
  const [first, second, third] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  waitUntil(first?.promise ?? Promise.reject());
  waitUntil(second?.promise ?? Promise.reject());
  second?.resolve();
  expect(await stateOf(given[0])).toBe("pending");
  waitUntil(third?.promise ?? Promise.reject());
  first?.resolve();
  expect(await stateOf(given[0])).toBe("pending");
  third?.resolve();
  expect(await stateOf(given[0])).toBe("over");
  expect(given).toHaveLength(1);
});

test("gives another promise for what begins after all the earlier ones", async () => {
  const { given, waitUntil } = scene();
  waitUntil(Promise.resolve());
  expect(await stateOf(given[0])).toBe("over");
  const later = Promise.withResolvers<void>();
  waitUntil(later.promise);
  expect(given).toHaveLength(2);
  expect(await stateOf(given[1])).toBe("pending");
  later.resolve();
  expect(await stateOf(given[1])).toBe("over");
});

test("lets the runtime report a promise that fails, and waits for the others", async () => {
  const { given, waitUntil } = scene();
  const other = Promise.withResolvers<void>();
  waitUntil(other.promise);
  waitUntil(Promise.reject(new Error("a bug")));
  expect(await stateOf(given[0])).toBe("pending");
  expect(await stateOf(given[1])).toBe("failed");
  other.resolve();
  expect(await stateOf(given[0])).toBe("over");
});
