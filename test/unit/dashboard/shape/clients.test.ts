import { expect, test } from "vitest";
import { CLIENT_SETUPS } from "../../../../dashboard/shape/clients.ts";
import { countdown } from "../../../../dashboard/shape/joining.ts";

test.each(CLIENT_SETUPS)("the lines for $name need no key on an open edge", ({ lines }) => {
  const text = lines({ edge: "http://127.0.0.1:8000", key: null, model: "llama3.2" });
  expect(text).not.toMatch(/null|undefined|Bearer|\/k\//);
});

test("the time that a code has left is shown as a clock", () => {
  expect([600_400, 599_999, 61_000, 900, -5].map(countdown)).toEqual([
    "10:00",
    "9:59",
    "1:01",
    "0:00",
    "0:00",
  ]);
});
