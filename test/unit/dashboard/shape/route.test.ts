import { expect, test } from "vitest";
import { hashOf, routeOf } from "../../../../dashboard/shape/route.ts";

test.each([
  ["", "overview", {}],
  ["#/", "overview", {}],
  ["#/requests?status=error&q=a%20b", "requests", { status: "error", q: "a b" }],
  ["#/nowhere", "overview", {}],
  ["#/__proto__", "overview", {}],
] as const)("parses the URL hash %s as the page %s", (hash, page, query) =>
  expect(routeOf(hash)).toEqual({ page, query }),
);

test("parses a hash back to the query that built it", () => {
  expect(routeOf(hashOf("requests", { q: "a&b=c#d", status: undefined }))).toEqual({
    page: "requests",
    query: { q: "a&b=c#d" },
  });
});
