/** The form of a target of messages, and the body that it becomes. Pure. */
import type { NewTarget, TargetKind } from "../../protocol/api/notifications.ts";

export type TargetDraft = {
  kind: TargetKind;
  name: string;
  url: string;
  token: string;
  chatId: string;
  severity: "warning" | "critical";
};

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
export function targetBody(draft: TargetDraft): NewTarget {
  const { kind, severity } = draft;
  const [name, address, token, chatId] = [draft.name, draft.url, draft.token, draft.chatId].map(
    (text) => text.trim(),
  );
  const rules = { severity, quiet_hours: null, ...(name && { name }) };
  if (kind === "telegram") return { kind, bot_token: token ?? "", chat_id: chatId ?? "", ...rules };
  if (kind === "ntfy") return { kind, url: address ?? "", ...rules, ...(token && { token }) };
  return { kind, url: address ?? "", ...rules };
}
