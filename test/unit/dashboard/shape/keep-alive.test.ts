import { expect, test } from "vitest";
import { keepAliveAdvice } from "../../../../dashboard/shape/keep-alive.ts";
import type { ConcernOf } from "../../../../protocol/concern.ts";

const coldStarts = (
  params: Partial<ConcernOf<"cold_starts">["params"]>,
): ConcernOf<"cold_starts"> => ({
  code: "cold_starts",
  severity: "warning",
  subject: { kind: "model", box: "atlas", model: "qwen3:8b" },
  since: null,
  params: {
    ...{ loads: 12, requests: 40, hours: 24, lost_ms: 90_000, lost_wh: null, key: null },
    ...{ keep_alive_s: 1_800, saved_loads: 9, saved_ms: 60_000, saved_wh: null },
    ...{ replay_hours: 24, replay_loads: null, holding_wh: null },
    ...params,
  },
});

test.each([
  [
    "12 loads",
    [coldStarts({})],
    "30 min would have saved 9 of 12 loads on atlas in 24 h, 1 min of waiting",
  ],
  [
    "loads that none would have saved",
    [coldStarts({ keep_alive_s: null })],
    "No keep-alive would have saved many of the 12 loads on atlas in 24 h",
  ],
  [
    "loads of a week",
    [coldStarts({ replay_hours: 168, replay_loads: 50, saved_loads: 41 })],
    "30 min would have saved 41 of 50 loads on atlas in 168 h, 1 min of waiting",
  ],
  ["no concern", [], "Cold starts give no reason to change it"],
])("suggests a keep-alive for %s", (_, concerns, advice) => {
  expect(keepAliveAdvice(concerns).replaceAll("\u202f", " ")).toBe(advice);
});
