import { expect, test } from "vitest";
import { Concern } from "../../../protocol/concern.ts";

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
