/** The times of weekly summaries, and their text. */
import { expect, test } from "vitest";
import { WeeklyTime } from "../../../../protocol/api/notifications.ts";
import { messageOf } from "../../../../worker/alerting/message.ts";
import { Notice, summaryNotice, withOpened } from "../../../../worker/alerting/notices.ts";
import { type Week, weekSummary } from "../../../../worker/alerting/summary.ts";
import { MessageTarget } from "../../../../worker/alerting/target.ts";
import { lastTimeOf, missedSummaryMs, nextSummaryMs } from "../../../../worker/alerting/weekly.ts";

const ms = (iso: string) => Date.parse(iso);
const weekly = (rest: object = {}) => WeeklyTime.parse({ time_zone: "Europe/Berlin", ...rest });

/** As it was stored before there were summaries. */
const OLD = {
  ...{ id: "t", kind: "ntfy", name: "Phone", host: "ntfy.sh", severity: "warning", sealed: "" },
  ...{ quiet_hours: null, created_at_ms: ms("2026-01-01T00:00:00Z") },
  ...{ last_sent_ms: null, last_error: null },
};
const targetOf = (rest: Partial<MessageTarget>): MessageTarget => ({
  ...MessageTarget.parse(OLD),
  ...rest,
});

test.each<[now: string, time: object, last: string]>([
  ["2026-11-24T12:00:00Z", {}, "2026-11-23T07:00:00Z"],
  ["2026-11-23T07:00:00Z", {}, "2026-11-23T07:00:00Z"],
  ["2026-11-23T06:59:59Z", {}, "2026-11-16T07:00:00Z"],
  ["2026-11-24T12:00:00Z", { time_zone: "Asia/Tokyo", hour: 23 }, "2026-11-23T14:00:00Z"],
  ["2026-11-24T12:00:00Z", { day: "sunday", hour: 0 }, "2026-11-21T23:00:00Z"],
  // The clocks were put back in the night before.
  ["2026-10-26T12:00:00Z", {}, "2026-10-26T07:00:00Z"],
  ["2026-10-25T12:00:00Z", {}, "2026-10-19T06:00:00Z"],
  // They skip the hour from two to three.
  ["2026-03-30T12:00:00Z", { day: "sunday", hour: 2 }, "2026-03-29T01:00:00Z"],
])("at %s, the last time of %j was %s", (now, time, last) => {
  expect(new Date(lastTimeOf(weekly(time), ms(now))).toISOString()).toBe(
    last.replace("Z", ".000Z"),
  );
});

test("each week of two years has one summary, eight o'clock local time", () => {
  let target = targetOf({ weekly: weekly(), created_at_ms: ms("2026-01-01T00:00:00Z") });
  const hour = new Intl.DateTimeFormat("en-GB", {
    ...{ timeZone: "Europe/Berlin", weekday: "long", hour: "2-digit" },
  });
  const times: string[] = [];
  let nowMs = target.created_at_ms;
  while (nowMs < ms("2028-01-01T00:00:00Z")) {
    const dueMs = nextSummaryMs(target, nowMs) ?? 0;
    expect(dueMs).toBeGreaterThan(nowMs);
    nowMs = dueMs;
    expect(missedSummaryMs(target, nowMs)).toBe(dueMs);
    target = { ...target, summary_ms: dueMs };
    expect(missedSummaryMs(target, nowMs)).toBeNull();
    times.push(hour.format(dueMs));
  }
  expect(times).toHaveLength(105);
  expect([...new Set(times)]).toEqual(["Monday, 08"]);
});

test("a target that is new, or wants none, has no summary of the week before", () => {
  const nowMs = ms("2026-11-24T12:00:00Z");
  expect(missedSummaryMs(targetOf({ weekly: weekly(), created_at_ms: nowMs - 1 }), nowMs)).toBe(
    null,
  );
  expect(nextSummaryMs(targetOf({}), nowMs)).toBeNull();
});

const WEEK: Week = {
  fromMs: ms("2026-11-16T07:00:00Z"),
  toMs: ms("2026-11-23T07:00:00Z"),
  requests: {
    ...{ requests: 12_345, errors: 23, tokens: 3_412_000, prompt_tokens: 45_600 },
    latency_p95_ms: 4_812,
  },
  topModel: "llama3.2:latest",
  costs: { energy_j: 44_280_000, cost: 3.694, unused_share: 0.671 },
  currency: "EUR",
  incidents: [
    { code: "disk_filling", text: "Box atlas has a disk that is 91 % full" },
    { code: "box_down", text: "Box basil has been down" },
    { code: "disk_filling", text: "Box basil has a disk that is 93 % full" },
  ],
  worstHour: null,
};

test("a summary has requests, tokens, energy, incidents and the worst hour", () => {
  const explanation = { text: "P95 rose from 1.2 s to 4.8 s at 14:05." } as NonNullable<
    Week["worstHour"]
  >["explanation"];
  const { title, lines, data } = weekSummary({
    ...WEEK,
    worstHour: { time: "14:00 on 2026-11-20", explanation },
  });
  expect(title).toBe("Your week: 12345 requests, 3 incidents");
  expect(lines).toEqual([
    "Requests: 12345, 23 failed, P95 4.8 s, most for llama3.2:latest",
    "Tokens: 3.4 million written, 46 thousand read",
    "Energy: 12.3 kWh, 3.69 EUR, 67 % of it without a request",
    "Once: Box basil has been down",
    "2 times: Box atlas has a disk that is 91 % full",
    "Worst hour, from 14:00 on 2026-11-20: P95 rose from 1.2 s to 4.8 s at 14:05.",
  ]);
  expect(data).toMatchObject({ energy_j: 44_280_000, cost: 3.694, worst_hour: explanation });
});

test("figures that are unknown stay unknown, and a measured 0 is 0", () => {
  const { title, lines } = weekSummary({
    ...WEEK,
    requests: { requests: 0, errors: 0, tokens: 0, prompt_tokens: 0, latency_p95_ms: null },
    ...{ topModel: null, currency: null, incidents: [] },
    costs: { energy_j: null, cost: null, unused_share: null },
  });
  expect(title).toBe("Your week: 0 requests, no incident");
  expect(lines).toEqual([
    "Requests: 0, none failed",
    "Tokens: 0 written, 0 read",
    "Energy: unknown",
  ]);
});

test("a summary that waits takes no incident, and its message is the same for each attempt", () => {
  const nowMs = ms("2026-11-23T07:00:00Z");
  let n = 0;
  const now = { nowMs, newId: () => `id-${++n}` };
  const notice = summaryNotice({ id: "t" }, weekSummary(WEEK), now);
  const incident = {
    ...{ key: "k", since_ms: nowMs, opened_ms: nowMs, absent_ms: null, targets: [] },
    concern: {
      ...{ code: "box_down" as const, severity: "critical" as const, since: null, params: {} },
      subject: { kind: "box" as const, box: "atlas" },
    },
  };
  const notices = withOpened([notice], targetOf({}), incident, now);
  expect(notices).toHaveLength(2);
  const stored = Notice.parse(JSON.parse(JSON.stringify(notices[0])));
  expect(messageOf({ ...stored, attempts: 3 })).toEqual(messageOf(notice));
  expect(messageOf(stored)).toMatchObject({
    title: "Your week: 12345 requests, 3 incidents",
    severity: null,
    data: { type: "weekly_summary", opened: [], closed: [], requests: { requests: 12_345 } },
  });
});
