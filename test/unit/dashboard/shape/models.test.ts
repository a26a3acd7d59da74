import { expect, test } from "vitest";
import { expiryText, isSameModel } from "../../../../dashboard/shape/models.ts";

const MINUTE = Date.parse("2026-11-24T12:00:00Z");

test("treats a model with and without :latest as one, and shows when it unloads", () => {
  expect([
    isSameModel("a", "a:latest"),
    isSameModel("hf.co:443/a", "hf.co:443/a:latest"),
    isSameModel("a:1b", "a"),
  ]).toEqual([true, true, false]);
  expect(
    expiryText(new Date(MINUTE + 299_000).toISOString(), MINUTE).replaceAll("\u202f", " "),
  ).toBe("unloads in 5 min");
  expect(expiryText("2318-01-01T00:00:00Z", MINUTE)).toBe("stays loaded");
  expect(expiryText("soon", MINUTE)).toBe("");
});
