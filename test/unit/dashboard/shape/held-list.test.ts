import { expect, test } from "vitest";
import { heldList, inFirstOrder, waitingIn } from "../../../../dashboard/shape/held-list.ts";
import type { LogEntry, Logs } from "../../../../protocol/api/logs.ts";

const logsOf = (...ids: string[]): Logs => ({
  logs: ids.map((id) => ({ id }) as LogEntry),
  store: "durable_object",
  total: ids.length,
  limit: 50,
  offset: 0,
  next: null,
  next_cursor: null,
});

const OLD = logsOf("b", "a");
const NEW = logsOf("d", "c", "b");
const latest = { name: "all", data: NEW, isLoading: false, isHolding: true };

test("holds the list while a request is open, and counts the rows that wait", () => {
  const before = heldList(null, { ...latest, data: OLD });
  expect(before?.shown).toBe(OLD);
  expect(heldList(before, latest)?.shown).toBe(OLD);
  expect(waitingIn(["b", "a"], ["d", "c", "b"])).toBe(2);
  expect(heldList(before, { ...latest, isHolding: false })?.shown).toBe(NEW);
  expect(heldList(null, { ...latest, data: null })).toBeNull();
});

test("shows another list once its own rows have arrived", () => {
  const before = { name: "all", shown: OLD };
  const other = { ...latest, name: "errors" };
  expect(heldList(before, { ...other, data: OLD, isLoading: true })).toBe(before);
  expect(heldList(before, other)).toEqual({ name: "errors", shown: NEW });
});

test("keeps the order of a ranking while its figures overtake each other, and adds new rows at its end", () => {
  const idOf = (row: string) => row;
  expect(inFirstOrder([], ["b", "a"], idOf)).toEqual(["b", "a"]);
  expect(inFirstOrder(["b", "a"], ["c", "a", "b"], idOf)).toEqual(["b", "a", "c"]);
  expect(inFirstOrder(["b", "gone", "a"], ["a", "b"], idOf)).toEqual(["b", "a"]);
});
