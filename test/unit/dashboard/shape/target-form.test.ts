import { expect, test } from "vitest";
import {
  TARGET_FIELDS,
  type TargetDraft,
  targetBody,
  weeklyText,
} from "../../../../dashboard/shape/target-form.ts";
import { NewTarget, TargetKind } from "../../../../protocol/api/notifications.ts";

const DRAFT: TargetDraft = {
  kind: "webhook",
  name: " On call ",
  url: " https://example.org/hook ",
  token: "123456:ABC-def",
  chatId: "@channel",
  severity: "critical",
  isWeekly: false,
};
const ZONE = "Europe/Berlin";

test.each(TargetKind.options)("makes a body of kind %s that the edge accepts", (kind) => {
  expect(TARGET_FIELDS[kind].inputs.length).toBeGreaterThan(0);
  const body = targetBody({ ...DRAFT, kind }, ZONE);
  expect(NewTarget.parse(body)).toEqual(body);
  expect(body).toMatchObject({ kind, name: "On call", severity: "critical" });
});

test("leaves out an empty name and an empty token", () => {
  const body = targetBody({ ...DRAFT, kind: "ntfy", name: " ", token: "" }, ZONE);
  expect(Object.keys(body).sort()).toEqual(["kind", "quiet_hours", "severity", "url", "weekly"]);
});

test("a weekly summary comes on Monday morning, where the viewer is", () => {
  const { weekly } = targetBody({ ...DRAFT, isWeekly: true }, ZONE);
  expect(weekly).toEqual({ day: "monday", hour: 8, time_zone: ZONE });
  expect([weekly ?? null, null].map(weeklyText)).toEqual(["Monday, 8:00", "never"]);
});
