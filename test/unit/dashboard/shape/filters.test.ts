/** The request list in the URL, and the queries that it makes. */
import { expect, test } from "vitest";
import {
  afterOf,
  cursorsOf,
  filterQuery,
  filtersOf,
  idIn,
  isFiltered,
  nextOrder,
  pageQuery,
  selectionBefore,
  selectionOf,
  toggled,
  unfiltered,
} from "../../../../dashboard/shape/filters.ts";
import { hashOf, routeOf } from "../../../../dashboard/shape/route.ts";

const MINUTE = Date.parse("2026-11-24T12:00:00Z");

test("converts filters to the API query and drops invalid values", () => {
  const filters = filtersOf({ status: "error", kind: "chat", model: "m", range: "1h", other: "x" });
  expect(selectionOf(filters, MINUTE)).toEqual({
    status: "error",
    kind: "chat",
    model: "m",
    since: "2026-11-24T11:00:00.000Z",
  });
  const invalid = { status: "maybe", kind: "dream", sort: "fame", order: "up", from: "yesterday" };
  expect(pageQuery(filtersOf(invalid), undefined, MINUTE)).toEqual({});
});

test("a link of an earlier version, with a period, selects the same requests", () => {
  const { since } = selectionOf(filtersOf({ period: "15m" }), MINUTE);
  expect(since).toBe("2026-11-24T11:45:00.000Z");
});

test("a paused page ends where it was paused", () => {
  const filters = filtersOf({ range: "15m", until: "2026-11-24T10:00:00Z" });
  expect(selectionOf(filters, MINUTE)).toEqual({
    since: "2026-11-24T09:45:00.000Z",
    until: "2026-11-24T10:00:00.000Z",
  });
});

test("compares the same requests of the period before, or of a week before", () => {
  const filters = filtersOf({ range: "1h", model: "m", compare: "previous" });
  expect(selectionBefore(filters, MINUTE)).toEqual({
    model: "m",
    since: "2026-11-24T10:00:00.000Z",
    until: "2026-11-24T11:00:00.000Z",
  });
  expect(selectionBefore({ ...filters, compare: "week" }, MINUTE)).toMatchObject({
    since: "2026-11-17T11:00:00.000Z",
    until: "2026-11-17T12:00:00.000Z",
  });
  expect(selectionBefore({ ...filters, compare: null }, MINUTE)).toBeNull();
  expect(selectionBefore(filtersOf({ compare: "previous" }), MINUTE)).toBeNull();
});

test("the URL has every filter and nothing that is usual", () => {
  const query = {
    box: "atlas",
    model: "qwen3:8b",
    key: "k1",
    range: "90m",
    status: "error",
    kind: "embed",
    q: "sea",
    sort: "latency",
    order: "asc",
  };
  const hash = hashOf("requests", filterQuery(filtersOf(query)));
  expect(routeOf(hash).query).toEqual(query);
  expect(hashOf("requests", filterQuery(filtersOf({})))).toBe("#/requests");
});

test("an order is no filter, and stays when the filters are cleared", () => {
  const sorted = filtersOf({ sort: "latency", compare: "previous" });
  expect(isFiltered(sorted)).toBe(false);
  const filtered = filtersOf({ sort: "latency", q: "x", box: "atlas" });
  expect(isFiltered(filtered)).toBe(true);
  expect(filterQuery(unfiltered(filtered))).toEqual(filterQuery(filtersOf({ sort: "latency" })));
});

test("a press on a value selects it, and a second press takes it back", () => {
  const once = toggled(filtersOf({ box: "atlas" }), "box", "basil");
  expect(once.box).toBe("basil");
  expect(toggled(once, "box", "basil").box).toBeNull();
});

test("a press on a column sorts, turns round, and returns to the newest first", () => {
  const one = nextOrder(filtersOf({}), "latency");
  expect(one).toEqual({ sort: "latency", order: "desc" });
  const two = nextOrder({ ...filtersOf({}), ...one }, "latency");
  expect(two).toEqual({ sort: "latency", order: "asc" });
  expect(nextOrder({ ...filtersOf({}), ...two }, "latency")).toEqual({
    sort: "time",
    order: "desc",
  });
});

test("selects a request by its ID, whatever the other filters", () => {
  const id = "0190b5a0-0000-7000-8000-00000000000a";
  const filters = filtersOf({ q: id.toUpperCase(), status: "error", range: "15m" });
  expect(pageQuery(filters, undefined, MINUTE)).toEqual({ id });
  expect(idIn(filtersOf({ q: `${id} not found` }))).toBeNull();
});

test("a page of a sorted list is found by its offset, another one by its cursor", () => {
  expect(pageQuery(filtersOf({}), "an-id", MINUTE)).toEqual({ cursor: "an-id" });
  expect(pageQuery(filtersOf({ sort: "ttft" }), "50", MINUTE)).toEqual({
    sort: "ttft",
    order: "desc",
    offset: "50",
  });
});

test("keeps the cursors of a result page in the URL", () => {
  const cursors = ["0190b5a0-0000-7000-8000-00000000000a", "0190b5a0-0000-7000-8000-00000000000b"];
  expect(cursorsOf(routeOf(hashOf("requests", { after: afterOf(cursors) })).query)).toEqual(
    cursors,
  );
  expect([afterOf([]), cursorsOf({})]).toEqual(["", []]);
});
