/** `/api/notifications`: the targets of messages about concerns that begin and end. */
import * as z from "zod";
import { Severity } from "../concerns/definition.ts";
import { DAY_HOURS, HOURS_DIFFER, hoursDiffer, TimeZone } from "../day-hours.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Time } from "./shapes.ts";

/** Each target is tried on its own, and a person reads few. */
export const TARGETS_MAX = 20;

export const TargetKind = z.enum(["webhook", "ntfy", "slack", "discord", "telegram"]);
export type TargetKind = z.infer<typeof TargetKind>;

const QuietHours = z
  .strictObject({ ...DAY_HOURS, time_zone: TimeZone })
  .refine(hoursDiffer, HOURS_DIFFER)
  .describe("hours in which warnings wait. If they are over by then, they are never sent");

export const WEEKDAYS = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;

/** The time of the week at which a summary is sent. */
export const WeeklyTime = z.strictObject({
  day: z.enum(WEEKDAYS).default("monday"),
  hour: z.int().min(0).max(23).default(8).describe("hour of the day, 0 to 23"),
  time_zone: TimeZone,
});
export type WeeklyTime = z.infer<typeof WeeklyTime>;

const severity = Severity.describe("the lowest severity; critical: no warnings");
const quiet_hours = QuietHours.nullable().describe("null: none");
const weekly = WeeklyTime.nullable().describe(
  "when a summary of the seven days before is sent; null: never",
);

/** Which messages a target gets, and when. */
export const TargetRules = {
  severity: severity.default("warning"),
  quiet_hours: quiet_hours.default(null),
  weekly: weekly.default(null),
};

const rules = {
  name: z.string().min(1).max(64).optional().describe("by default its host"),
  ...TargetRules,
};
/** The body of `PATCH /api/notifications/{id}`: the fields that it has are changed. */
export const TargetEdit = z
  .strictObject({ name: rules.name, severity, quiet_hours, weekly })
  .partial()
  .refine((edit) => Object.keys(edit).length > 0, { error: "has nothing to change" })
  .meta({ id: "TargetEdit" });
export type TargetEdit = z.infer<typeof TargetEdit>;

const url = z.string().max(2_048);
const token = z.string().min(1).max(256);

/** The body of `POST /api/notifications`. */
export const NewTarget = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("webhook"),
      url: url.describe("receives a POST with JSON, signed as Standard Webhooks describes"),
      ...rules,
    }),
    z.strictObject({
      kind: z.literal("ntfy"),
      url: url.describe("server and topic, such as ntfy.sh/my-topic with https"),
      token: token.optional().describe("access token, if the topic needs one"),
      ...rules,
    }),
    z.strictObject({
      kind: z.literal("slack"),
      url: url.describe("incoming webhook"),
      ...rules,
    }),
    z.strictObject({
      kind: z.literal("discord"),
      url: url.describe("webhook of a channel"),
      ...rules,
    }),
    z.strictObject({
      kind: z.literal("telegram"),
      bot_token: token.regex(/^\d+:[\w-]+$/, "is not the token of a bot, such as 123456:ABC-def"),
      chat_id: z.string().regex(/^(-?\d+|@\w+)$/, "must be a number, or the @name of a channel"),
      ...rules,
    }),
  ])
  .meta({ id: "NewTarget" });
export type NewTarget = z.infer<typeof NewTarget>;

/** A target as it is shown: without its address and its secrets. */
export const NotificationTarget = z
  .object({
    id: z.string(),
    kind: TargetKind,
    name: z.string(),
    host: z.string().describe("host of its address. The rest is secret and not shown again"),
    severity: Severity,
    quiet_hours: QuietHours.nullable(),
    weekly: WeeklyTime.nullable(),
    created_at: Time,
    waiting: Count.describe("messages that are not delivered yet"),
    last_sent_at: Time.nullable(),
    last_error: z
      .object({ at: Time, message: z.string() })
      .nullable()
      .describe("error of the newest attempt; null if it succeeded"),
  })
  .meta({ id: "NotificationTarget" });
export type NotificationTarget = z.infer<typeof NotificationTarget>;

const Notifications = z
  .object({ targets: z.array(NotificationTarget).describe("oldest first") })
  .meta({ id: "Notifications" });

const MadeTarget = z
  .object({
    ...NotificationTarget.shape,
    secret: z
      .string()
      .nullable()
      .describe("signs a webhook. It is shown only now; null for other kinds"),
  })
  .meta({ id: "MadeTarget" });
export type MadeTarget = z.infer<typeof MadeTarget>;

const TestResult = z
  .object({
    delivered: z.boolean(),
    error: z.string().nullable().describe("the reason why not; null if it was delivered"),
  })
  .meta({ id: "TestResult" });
export type TestResult = z.infer<typeof TestResult>;

const TargetPath = z.object({ id: z.string().max(64) });
const tag = "Notifications";

export const NOTIFICATION_ROUTES = {
  notifications: {
    method: "GET",
    path: "/api/notifications",
    scope: "admin",
    tag,
    summary: "List the targets of messages",
    answer: Notifications,
  },
  addTarget: {
    method: "POST",
    audit: "target_added",
    secrets: ["url", "token", "bot_token"],
    path: "/api/notifications",
    scope: "admin",
    tag,
    summary: "Add a target of messages",
    description: [
      "The edge sends one message when a concern has lasted for a while, and one when it is over. Concerns that begin at about the same time",
      "share a message. A message that cannot be delivered is sent again, with the same id, for a day. Simulated boxes cause no message.",
      "With weekly, a target also gets one summary a week: requests, tokens, energy and cost, incidents, and the worst hour with its explanation.",
      "The address must be https, of a public host; on a local edge also http on a loopback address. Redirects are not followed.",
    ].join(" "),
    body: NewTarget,
    answer: MadeTarget,
  },
  changeTarget: {
    method: "PATCH",
    audit: "target_changed",
    path: "/api/notifications/{id}",
    scope: "admin",
    tag,
    summary: "Change which messages a target gets, and when",
    description: "Its address and its secrets cannot be changed: remove it and add it again.",
    params: TargetPath,
    body: TargetEdit,
    answer: NotificationTarget,
  },
  removeTarget: {
    method: "DELETE",
    audit: "target_removed",
    path: "/api/notifications/{id}",
    scope: "admin",
    tag,
    summary: "Remove a target, and its messages that wait",
    params: TargetPath,
    answer: z.object({ status: z.literal("removed"), id: z.string() }),
  },
  testTarget: {
    method: "POST",
    audit: null,
    path: "/api/notifications/{id}/test",
    scope: "admin",
    tag,
    summary: "Send a test message to a target now",
    params: TargetPath,
    answer: TestResult,
  },
} as const satisfies Record<string, ApiRoute>;
