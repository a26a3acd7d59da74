import { expect, test } from "vitest";
import { matcherOf, mentionedGroups, roleOf } from "../../../../worker/identity/people.ts";

const people = (text: string) => text.split(",").flatMap((part) => matcherOf(part) ?? []);
const PEOPLE = {
  owner: people("ada@example.com"),
  operator: people("group:gpu-team"),
  member: people("*@example.com,group:staff"),
};

test.each([
  ["ada@example.com", [], "owner"],
  ["bob@example.com", [], "member"],
  ["bob@example.com", ["gpu-team"], "operator"],
  ["ada@example.com", ["gpu-team", "staff"], "owner"],
  ["eve@elsewhere.org", ["staff"], "member"],
  ["eve@elsewhere.org", ["GPU-team"], null],
  ["ada@example.com.evil.org", [], null],
  ["ada@evil-example.com", [], null],
  ["ada@sub.example.com", [], null],
  ["sub-00112233", [], null],
])("%s in %j is %s", (name, groups, role) => {
  expect(roleOf({ name, groups }, PEOPLE)).toBe(role);
});

test.each([
  "ada",
  "*",
  "*@*",
  "*@com",
  "@example.com",
  "ada@example",
  "a@b@example.com",
  "group:",
  "ada@example.com/x",
])("%s names nobody", (text) => {
  expect(matcherOf(text)).toBeNull();
});

test("groups that no role mentions are left out", () => {
  expect(mentionedGroups(["x", "staff", "gpu-team"], PEOPLE)).toEqual(["staff", "gpu-team"]);
});
