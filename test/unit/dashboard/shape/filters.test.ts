import { expect, test } from "vitest";
import {
  afterOf,
  cursorsOf,
  filtersOf,
  isFiltered,
  logQueryOf,
} from "../../../../dashboard/shape/filters.ts";
import { hashOf, routeOf } from "../../../../dashboard/shape/route.ts";

const MINUTE = Date.parse("2026-11-24T12:00:00Z");

test("converts filters to the API query and drops invalid values", () => {
  const query = logQueryOf(
    filtersOf({ status: "error", model: "m", period: "1h", other: "x" }),
    MINUTE,
  );
  expect(query).toEqual({
    status: "error",
    model: "m",
    since: "2026-11-24T11:00:00.000Z",
    until: undefined,
  });
  expect(
    logQueryOf(filtersOf({ status: "maybe", from: "yesterday", period: "toString" }), MINUTE),
  ).toEqual({
    status: undefined,
    since: undefined,
    until: undefined,
  });
  const local = logQueryOf({ from: "2026-11-24T10:00" }, MINUTE).since;
  expect(local).toBe(new Date("2026-11-24T10:00").toISOString());
  expect([isFiltered({}), isFiltered({ q: "x" })]).toEqual([false, true]);
});

test("selects a request by its ID, whatever the other filters", () => {
  const id = "0190b5a0-0000-7000-8000-00000000000a";
  const filters = filtersOf({ q: id.toUpperCase(), status: "error", period: "15m" });
  expect(logQueryOf(filters, MINUTE)).toEqual({ id });
  expect(logQueryOf({ q: `${id} not found` }, MINUTE).q).toBe(`${id} not found`);
});

test("keeps the cursors of a result page in the URL", () => {
  const cursors = ["0190b5a0-0000-7000-8000-00000000000a", "0190b5a0-0000-7000-8000-00000000000b"];
  expect(cursorsOf(routeOf(hashOf("requests", { after: afterOf(cursors) })).query)).toEqual(
    cursors,
  );
  expect([afterOf([]), cursorsOf({})]).toEqual(["", []]);
});
