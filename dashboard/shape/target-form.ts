/** The form of a target of messages, and the body that it becomes. Pure. */
import type {
  NewTarget,
  NotificationTarget,
  TargetKind,
} from "../../protocol/api/notifications.ts";

export type TargetDraft = {
  kind: TargetKind;
  name: string;
  url: string;
  token: string;
  chatId: string;
  severity: "warning" | "critical";
  isWeekly: boolean;
};

type Weekly = NotificationTarget["weekly"];

/** A summary on Monday morning, where the viewer is; null for none. */
export const weeklyOf = (isWanted: boolean, timeZone: string): Weekly =>
  isWanted ? { day: "monday", hour: 8, time_zone: timeZone } : null;

/** Such as "Monday, 8:00". */
export const weeklyText = (weekly: Weekly): string =>
  weekly === null
    ? "never"
    : `${weekly.day.charAt(0).toUpperCase()}${weekly.day.slice(1)}, ${weekly.hour}:00`;

type Input = {
  name: "url" | "token" | "chatId";
  label: string;
  placeholder: string;
  isRequired: boolean;
};

const url = (label: string, placeholder: string): Input => ({
  name: "url",
  label,
  placeholder,
  isRequired: true,
});

export const TARGET_FIELDS: Record<TargetKind, { title: string; inputs: Input[] }> = {
  webhook: { title: "Webhook", inputs: [url("Address", "https://example.org/hook")] },
  ntfy: {
    title: "ntfy",
    inputs: [
      url("Server and topic", "https://ntfy.sh/my-topic"),
      {
        name: "token",
        label: "Access token, if the topic needs one",
        placeholder: "",
        isRequired: false,
      },
    ],
  },
  slack: { title: "Slack", inputs: [url("Incoming webhook", "https://hooks.slack.com/…")] },
  discord: {
    title: "Discord",
    inputs: [url("Webhook of a channel", "https://discord.com/api/webhooks/…")],
  },
  telegram: {
    title: "Telegram",
    inputs: [
      { name: "token", label: "Token of the bot", placeholder: "123456:ABC-def", isRequired: true },
      {
        name: "chatId",
        label: "Chat: a number, or @name of a channel",
        placeholder: "@channel",
        isRequired: true,
      },
    ],
  },
};

/** Returns the body of `POST /api/notifications`, with the fields of the kind only. */
/** @param timeZone  that of the viewer */
export function targetBody(draft: TargetDraft, timeZone: string): NewTarget {
  const { kind, severity, isWeekly } = draft;
  const [name, address, token, chatId] = [draft.name, draft.url, draft.token, draft.chatId].map(
    (text) => text.trim(),
  );
  const weekly = weeklyOf(isWeekly, timeZone);
  const rules = { severity, quiet_hours: null, weekly, ...(name && { name }) };
  if (kind === "telegram") return { kind, bot_token: token ?? "", chat_id: chatId ?? "", ...rules };
  if (kind === "ntfy") return { kind, url: address ?? "", ...rules, ...(token && { token }) };
  return { kind, url: address ?? "", ...rules };
}
