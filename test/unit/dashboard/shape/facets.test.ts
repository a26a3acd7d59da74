/** The values of a facet stay where they are while their counts change. */
import { expect, test } from "vitest";
import { type FacetValue, steadyValues, valueName } from "../../../../dashboard/shape/facets.ts";

const values = (counts: Record<string, number>): FacetValue[] =>
  Object.entries(counts).map(([value, requests]) => ({ value, name: value, requests }));

test("keeps the order, adds new values at the end, and keeps those that have gone with 0", () => {
  const before = values({ llama: 9, mistral: 4, qwen: 1 });
  const latest = values({ qwen: 30, llama: 10, phi: 2 });
  expect(steadyValues(before, latest, null)).toEqual(
    values({ llama: 10, mistral: 0, qwen: 30, phi: 2 }),
  );
});

test("keeps the chosen value, which no request may have any more", () => {
  const [chosen = null] = values({ gone: 0 });
  expect(steadyValues([], values({ llama: 3 }), chosen)).toEqual(values({ llama: 3, gone: 0 }));
  expect(steadyValues([], values({ gone: 3 }), chosen)).toEqual(values({ gone: 3 }));
});

test("names values as people read them, and unknown ones as they are", () => {
  expect(valueName("status", "cancelled")).toBe("Cancelled");
  expect(valueName("kind", "embed")).toBe("Embed");
  expect(valueName("kind", "dream")).toBe("dream");
  expect(valueName("key", "k_1", "bot-prod")).toBe("bot-prod");
  expect(valueName("key", "admin", null)).toBe("admin");
});
