import { expect, test } from "vitest";
import { CONCERN_CODES, CONCERNS, Concern } from "../../../protocol/concerns.ts";

test.each(CONCERN_CODES)(
  "%s is a snake_case code with a description that is a sentence",
  (code) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(CONCERNS[code].description).toMatch(/^[A-Z].*\.$/);
  },
);

test.each([
  [
    {
      code: "box_down",
      severity: "critical",
      subject: { kind: "box", box: "home" },
      since: null,
      params: {},
    },
    true,
  ],
  [
    {
      code: "box_lost",
      severity: "critical",
      subject: { kind: "box", box: "home" },
      since: null,
      params: {},
    },
    false,
  ],
  [
    {
      code: "box_down",
      severity: "warning",
      subject: { kind: "box", box: "home" },
      since: null,
      params: {},
    },
    false,
  ],
  [
    { code: "box_down", severity: "critical", subject: { kind: "edge" }, since: null, params: {} },
    false,
  ],
  [
    {
      code: "gpu_hot",
      severity: "warning",
      subject: { kind: "gpu", box: "home", index: 0 },
      since: null,
      params: {},
    },
    false,
  ],
])("a concern like %j is valid: %s", (concern, isValid) => {
  expect(Concern.safeParse(concern).success).toBe(isValid);
});
