import { expect, test } from "vitest";
import { makeLog } from "../../../agent/log.ts";

const lineOf = (json: boolean, ...event: Parameters<ReturnType<typeof makeLog>>) => {
  let line = "";
  makeLog({
    json,
    now: () => Date.parse("2026-08-01T12:00:01.000Z"),
    write: (text) => (line += text),
  })(...event);
  return line;
};

test("writes an event as one JSON line for machines", () => {
  expect(
    lineOf(true, "warn", "gpu_unavailable", {
      reason: "a\nb",
      retry_in_ms: 1_000,
      error: new Error("why"),
    }),
  ).toBe(
    '{"time":"2026-08-01T12:00:01.000Z","level":"warn","event":"gpu_unavailable","reason":"a\\nb","retry_in_ms":1000,"error":"why"}\n',
  );
});

test("writes an event as one short line for people", () => {
  expect(lineOf(false, "info", "started")).toBe("12:00:01 started\n");
  expect(lineOf(false, "error", "spool_disk_failed", { error: "a\nb", lost: 3 })).toBe(
    '12:00:01 ERROR spool_disk_failed error="a\\nb" lost=3\n',
  );
});

test.each([
  "prompt",
  "response",
  "messages",
  "body",
  "headers",
  "authorization",
  "box_secret",
  "boxSecret",
  "password",
  "api_key",
])("never writes the value of a log field named %s", (name) => {
  for (const json of [true, false])
    expect(lineOf(json, "info", "request", { [name]: "canary" })).not.toContain("canary");
});

test("writes log fields whose names only resemble private ones", () => {
  expect(lineOf(true, "info", "request", { key_id: "k1", prompt_tokens: 3 })).toContain(
    '"key_id":"k1","prompt_tokens":3',
  );
});
