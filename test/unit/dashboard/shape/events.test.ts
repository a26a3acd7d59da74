import { expect, test } from "vitest";
import { EVENT_GROUPS, kindsOf, toneOfEvent } from "../../../../dashboard/shape/events.ts";
import type { Events } from "../../../../protocol/api/events.ts";
import { EVENT_KINDS } from "../../../../protocol/events.ts";

test("puts every kind of event into one group", () => {
  const kinds = EVENT_GROUPS.flatMap((group) => [...group.kinds]);
  expect(kinds.toSorted()).toEqual(EVENT_KINDS.toSorted());
  expect(kindsOf("all")).toBe(undefined);
  expect(kindsOf("disk")).toBe("model_pulled,model_deleted");
});

test.each([
  ["concern_opened", "critical", "bad"],
  ["concern_opened", "warning", "warn"],
  ["concern_closed", "critical", "note"],
  ["tunnel_cut", null, "warn"],
  ["model_loaded", null, "note"],
])("shows %s of severity %s as %s", (kind, severity, tone) =>
  expect(toneOfEvent({ kind, severity } as Events["events"][number])).toBe(tone),
);
