import { expect, test } from "vitest";
import { AuditSampling, SAMPLED_EVERY_MS } from "../../../worker/audit-sampling.ts";

test("notes one of a kind in a minute, which stands for those before it", () => {
  const sampling = new AuditSampling();
  const counts = Array.from({ length: 1_000 }, (_, n) => sampling.count("ada", n));
  expect(counts.filter((times) => times !== null)).toEqual([1]);
  expect(sampling.count("bob", 500)).toBe(1);
  expect(sampling.count("ada", SAMPLED_EVERY_MS)).toBe(1_000);
  expect(sampling.count("ada", 2 * SAMPLED_EVERY_MS)).toBe(1);
});

test("remembers a bounded number of kinds", () => {
  const sampling = new AuditSampling();
  for (let n = 0; n < 5_000; n++) sampling.count(`kind ${n}`, 0);
  expect(sampling.size).toBe(1_000);
});
