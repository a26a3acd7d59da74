/** The text of pins, and the form that changes one. */
import { expect, test } from "vitest";
import { hoursText, pinBody, pinForm, pinTrouble } from "../../../../dashboard/shape/pins.ts";
import type { BoxPin } from "../../../../protocol/api/pins.ts";
import { PinRequest } from "../../../../protocol/api/pins.ts";

const pinOf = (rest: Partial<BoxPin> = {}): BoxPin => ({
  model: "m:1b",
  context_length: null,
  hours: { from: 22, to: 6 },
  time_zone: "Europe/Berlin",
  is_due: true,
  state: "loaded",
  reason: null,
  least_bytes: null,
  created_at: "2026-11-27T12:00:00.000Z",
  ...rest,
});

test("shows the hours, and their zone if it is not that of the viewer", () => {
  expect(hoursText(pinOf(), "Europe/Berlin")).toBe("22–6\u202fh");
  expect(hoursText(pinOf(), "UTC")).toBe("22–6\u202fh Europe/Berlin");
  expect(hoursText(pinOf({ hours: null }), "UTC")).toBe("always");
});

test.each<[state: BoxPin["state"], reason: string | null, text: string | null]>([
  ["loaded", null, null],
  ["off", null, null],
  ["loading", null, null],
  [null, null, null],
  ["waiting", null, "will be loaded soon"],
  ["waiting", "Ollama does not answer.", "Ollama does not answer."],
  ["failed", null, "could not be loaded"],
  ["failed", "out of memory", "out of memory"],
])("a pin that is %s for the reason %j shows %j", (state, reason, text) => {
  expect(pinTrouble({ state, reason })).toBe(text);
});

test("the form of a pin makes the same pin again, and a new one nothing", () => {
  const form = pinForm(pinOf({ context_length: 8_192 }), "UTC");
  const body = pinBody(form, "m:1b", "atlas");
  expect(body).toEqual({
    model: "m:1b",
    box: "atlas",
    context: 8_192,
    hours: { from: 22, to: 6 },
    time_zone: "Europe/Berlin",
  });
  expect(PinRequest.safeParse(body).success).toBe(true);
  expect(pinBody(pinForm(null, "UTC"), "m:1b", "atlas")).toBeNull();
  expect(pinBody({ ...pinForm(null, "UTC"), mode: "always" }, "m:1b", "atlas")).toEqual({
    model: "m:1b",
    box: "atlas",
    context: null,
    hours: null,
    time_zone: "UTC",
  });
});
