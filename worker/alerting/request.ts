/** The HTTP request that carries a message, in the form of each kind of target. Pure but for the HMAC. */
import type { TargetKind } from "../../protocol/api/notifications.ts";
import { base64Of, bytesOfBase64 } from "../base64.ts";
import type { NoticeMessage } from "./message.ts";
import type { TargetAddress } from "./target.ts";

export type TargetRequest = { url: string; headers: Record<string, string>; body: string };

/** Limits of the services, in characters. */
const DISCORD_CHARS = 2_000;
const TELEGRAM_CHARS = 4_096;

const NTFY_PRIORITY = { critical: 5, warning: 4 } as const;
const NTFY_OVER = 3;

export async function requestOf(
  kind: TargetKind,
  { url, secret, token, chat_id }: TargetAddress,
  message: NoticeMessage,
  nowMs: number,
): Promise<TargetRequest> {
  const { id, title, lines, severity, data } = message;
  const text = lines.length === 1 ? title : [title, ...lines].join("\n");
  switch (kind) {
    case "webhook": {
      const body = JSON.stringify(data);
      const seconds = Math.floor(nowMs / 1_000);
      const signature = await signatureOf(secret ?? "", `${id}.${seconds}.${body}`);
      const headers = {
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": `v1,${signature}`,
      };
      return { url, headers: { ...JSON_BODY, ...headers }, body };
    }
    case "ntfy": {
      const { origin, pathname } = new URL(url);
      const at = pathname.lastIndexOf("/");
      const body = {
        topic: decodeURIComponent(pathname.slice(at + 1)),
        title,
        message: lines.join("\n"),
        priority: severity === null ? NTFY_OVER : NTFY_PRIORITY[severity],
        tags: [severity === null ? "white_check_mark" : "warning"],
        // From ntfy 2.16 on, a repetition replaces the message.
        sequence_id: id,
      };
      const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
      return json(`${origin}${pathname.slice(0, at + 1)}`, body, authorization);
    }
    case "slack":
      return json(url, { text: escaped(text) });
    case "discord":
      return json(url, { content: cutTo(text, DISCORD_CHARS), allowed_mentions: { parse: [] } });
    case "telegram": {
      const link_preview_options = { is_disabled: true };
      const body = { chat_id, text: cutTo(text, TELEGRAM_CHARS), link_preview_options };
      return json(`${url}/bot${token}/sendMessage`, body);
    }
  }
}

const JSON_BODY = { "content-type": "application/json" };

const json = (url: string, body: object, headers: Record<string, string> = {}): TargetRequest => ({
  url,
  headers: { ...JSON_BODY, ...headers },
  body: JSON.stringify(body),
});

/** Slack reads these three as markup. */
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const cutTo = (text: string, chars: number): string =>
  text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;

const SECRET_PREFIX = "whsec_";
const SECRET_BYTES = 32;

/** Makes the secret of a webhook, in the form of Standard Webhooks. */
export const newWebhookSecret = (): string =>
  SECRET_PREFIX + base64Of(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));

/** @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
async function signatureOf(secret: string, text: string): Promise<string> {
  const bytes = bytesOfBase64(secret.slice(SECRET_PREFIX.length));
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes, hmac, false, ["sign"]);
  return base64Of(
    new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text))),
  );
}
