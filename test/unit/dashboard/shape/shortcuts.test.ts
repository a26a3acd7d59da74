import { expect, test } from "vitest";
import { type Pressed, SHORTCUTS, shortcutOf } from "../../../../dashboard/shape/shortcuts.ts";

const NONE = { ctrlKey: false, metaKey: false, altKey: false, isTyped: false };
const pressed = (key: string, rest: Partial<Pressed> = {}) => shortcutOf({ ...NONE, key, ...rest });

test.each<[key: string, rest: Partial<Pressed>, name: string | undefined]>([
  ["k", { ctrlKey: true }, "palette"],
  ["K", { metaKey: true, isTyped: true }, "palette"],
  ["k", {}, undefined],
  ["/", {}, "palette"],
  ["/", { isTyped: true }, undefined],
  ["?", {}, "help"],
  ["p", {}, "pause"],
  ["p", { ctrlKey: true }, undefined],
  ["r", { metaKey: true }, undefined],
  ["t", { altKey: true }, undefined],
  ["5", {}, "page"],
  ["0", {}, undefined],
  ["constructor", {}, undefined],
])("takes the key %s with %j as %s", (key, rest, name) =>
  expect(pressed(key, rest)?.name).toBe(name),
);

test("lists every key that works", () => {
  const listed = SHORTCUTS.map(({ name }) => name);
  for (const key of "/?pryt1") expect(listed).toContain(pressed(key)?.name);
  expect(pressed("3")?.digit).toBe(3);
});
