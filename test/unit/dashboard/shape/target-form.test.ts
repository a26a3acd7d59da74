import { expect, test } from "vitest";
import {
  TARGET_FIELDS,
  type TargetDraft,
  targetBody,
} from "../../../../dashboard/shape/target-form.ts";
import { NewTarget, TargetKind } from "../../../../protocol/api/notifications.ts";

const DRAFT: TargetDraft = {
  kind: "webhook",
  name: " On call ",
  url: " https://example.org/hook ",
  token: "123456:ABC-def",
  chatId: "@channel",
  severity: "critical",
};

test.each(TargetKind.options)("makes a body of kind %s that the edge accepts", (kind) => {
  expect(TARGET_FIELDS[kind].inputs.length).toBeGreaterThan(0);
  const body = targetBody({ ...DRAFT, kind });
  expect(NewTarget.parse(body)).toEqual(body);
  expect(body).toMatchObject({ kind, name: "On call", severity: "critical" });
});

test("leaves out an empty name and an empty token", () => {
  const body = targetBody({ ...DRAFT, kind: "ntfy", name: " ", token: "" });
  expect(Object.keys(body).sort()).toEqual(["kind", "quiet_hours", "severity", "url"]);
});
