import { expect, test } from "vitest";
import { VIEWS_MAX, viewHash, viewsIn, withView } from "../../../../dashboard/shape/saved-views.ts";

test("keeps the page, its scope and its filters in a view, and neither the request nor the place", () => {
  expect(viewHash("#/requests?box=atlas&status=error&open=0190&after=a.b&range=24h")).toBe(
    "#/requests?box=atlas&status=error&range=24h",
  );
});

test("replaces a view of the same name, and puts the newest first", () => {
  const views = withView(withView([], "Slow", "#/requests?sort=latency"), "Errors", "#/alerts");
  expect(withView(views, " Slow ", "#/")).toEqual([
    { name: "Slow", hash: "#/" },
    { name: "Errors", hash: "#/alerts" },
  ]);
  expect(withView(views, " ", "#/")).toEqual(views);
  const many = Array.from({ length: VIEWS_MAX }, (_, n) => ({ name: `${n}`, hash: "#/" }));
  expect(withView(many, "one more", "#/")).toHaveLength(VIEWS_MAX);
});

test.each([
  [null, []],
  ["#/", []],
  [[null, 7, {}, { name: "", hash: "#/" }, { name: "a" }], []],
  [[{ name: "a", hash: "javascript:alert(1)" }], [{ name: "a", hash: "#/" }]],
])("reads %j from an untrusted storage", (stored, views) => expect(viewsIn(stored)).toEqual(views));
