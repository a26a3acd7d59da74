import { expect, test } from "vitest";
import { pacedLog } from "../../../../agent/tunnel/paced-log.ts";

test("logs a lost edge at a rate that a person can read, and counts the lines it left out", () => {
  const lines: [event: string, fields: Record<string, unknown> | undefined][] = [];
  const clock = { nowMs: 0 };
  const log = pacedLog(
    (_level, event, fields) => void lines.push([event, fields]),
    () => clock.nowMs,
  );
  // Ten dials a second for ten minutes.
  for (; clock.nowMs < 600_000; clock.nowMs += 100) log("info", "tunnel_error", { why: "refused" });
  expect(lines.slice(0, 3)).toEqual(Array(3).fill(["tunnel_error", { why: "refused" }]));
  expect(lines.length).toBeLessThanOrEqual(3 + 600 / 30);
  expect(lines.at(-1)).toEqual(["tunnel_error", { why: "refused", left_out: expect.any(Number) }]);
  const leftOut = lines.reduce((sum, [, fields]) => sum + Number(fields?.left_out ?? 0), 0);
  expect(leftOut + lines.length).toBeGreaterThan(6_000 - 301);
  log("info", "tunnel_up", {});
  expect(lines.at(-1)).toEqual(["tunnel_up", {}]);
});
