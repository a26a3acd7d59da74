import { expect, test } from "vitest";
import { iconOf, titleOf, troubleOf } from "../../../../dashboard/shape/trouble.ts";
import type { Concern } from "../../../../protocol/concern.ts";

const concern = (code: string, severity: string) => ({ code, severity }) as unknown as Concern;
const down = concern("box_down", "critical");
const hot = concern("gpu_hot", "warning");

test.each<[concerns: Concern[], isOffline: boolean, tone: string, count: number]>([
  [[], false, "none", 0],
  [[hot], false, "warn", 1],
  [[down, hot], false, "bad", 2],
  [[concern("latency_high", "warning"), concern("no_box", "critical")], false, "none", 0],
  [[], true, "bad", 1],
])("shows %j, offline %s, as %s", (concerns, isOffline, tone, count) => {
  const trouble = troubleOf(concerns, isOffline);
  expect(trouble).toEqual({ tone, count });
  expect(iconOf(trouble) === null).toBe(tone === "none");
});

test("counts trouble in front of the title, and marks made-up data", () => {
  expect(titleOf("Keys", { tone: "none", count: 0 }, false)).toBe("Keys · ollama-edge-serve");
  expect(titleOf("Keys", { tone: "bad", count: 2 }, true)).toBe(
    "(2) [simulated] Keys · ollama-edge-serve",
  );
});
