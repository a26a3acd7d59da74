import { expect, test } from "vitest";
import { NewTarget, type TargetKind } from "../../../../protocol/api/notifications.ts";
import type { Severity } from "../../../../protocol/concerns/definition.ts";
import { addressOf } from "../../../../worker/alerting/address.ts";
import type { Incident } from "../../../../worker/alerting/incidents.ts";
import { messageOf } from "../../../../worker/alerting/message.ts";
import {
  firstOf,
  GROUP_MS,
  type Notice,
  PACE_MS,
  withClosed,
  withOpened,
} from "../../../../worker/alerting/notices.ts";
import { newWebhookSecret, requestOf } from "../../../../worker/alerting/request.ts";
import type { MessageTarget } from "../../../../worker/alerting/target.ts";
import { seal, unseal } from "../../../../worker/alerting/vault.ts";

const NOON = Date.parse("2026-11-24T12:00:00Z");
const HOUR_MS = 3_600_000;

const targetWith = (rest: Partial<MessageTarget> = {}): MessageTarget => ({
  id: "t",
  kind: "webhook",
  name: "On call",
  host: "hooks.example.com",
  severity: "warning",
  quiet_hours: null,
  weekly: null,
  summary_ms: null,
  created_at_ms: 0,
  sealed: "",
  last_sent_ms: null,
  last_error: null,
  ...rest,
});

const incident = (box: string, severity: Severity = "critical", sinceMs = NOON): Incident => ({
  key: box,
  concern:
    severity === "critical"
      ? { code: "box_down", severity, subject: { kind: "box", box }, since: null, params: {} }
      : {
          code: "disk_filling",
          severity,
          subject: { kind: "box", box },
          since: null,
          params: { used_percent: 92 },
        },
  since_ms: sinceMs,
  opened_ms: NOON,
  absent_ms: null,
  targets: ["t"],
});

let ids = 0;
const at = (nowMs: number) => ({ nowMs, newId: () => String(++ids).padStart(6, "0") });
const one = (notices: readonly Notice[]): Notice => {
  expect(notices).toHaveLength(1);
  return notices[0] as Notice;
};

test("incidents that begin together share one message", () => {
  const target = targetWith();
  let notices: Notice[] = [];
  for (let box = 0; box < 30; box++)
    notices = withOpened(notices, target, incident(`box-${box}`), at(NOON + box));
  const notice = one(notices);
  expect(notice.due_ms).toBe(NOON + GROUP_MS);
  const { title, lines } = messageOf(notice);
  expect(title).toBe("30 concerns");
  expect(lines).toHaveLength(21);
  expect(lines[0]).toBe("Critical: Box box-0 is down");
  expect(lines.at(-1)).toBe("and 10 more");
});

test("a message that was tried does not change, and an end follows in the next one", () => {
  const target = targetWith();
  const begun = one(withOpened([], target, incident("atlas"), at(NOON)));
  const tried = { ...begun, attempts: 1 };
  const notices = withClosed([tried], target, incident("atlas"), at(NOON + HOUR_MS));
  expect(firstOf(notices, "t")).toBe(tried);
  const end = one(notices.filter(({ attempts }) => attempts === 0));
  expect(messageOf(end).title).toBe("Over after 60 min: Box atlas is down");
});

test("an incident that ends before its message is sent causes no message", () => {
  const target = targetWith();
  const begun = withOpened([], target, incident("atlas"), at(NOON));
  expect(withClosed(begun, target, incident("atlas"), at(NOON + 1_000))).toEqual([]);
  const both = withOpened(begun, target, incident("basil"), at(NOON));
  expect(one(withClosed(both, target, incident("atlas"), at(NOON + 1))).opened).toHaveLength(1);
});

test("messages to a target keep a distance", () => {
  const target = targetWith({ last_sent_ms: NOON - 1_000 });
  const { due_ms } = one(withOpened([], target, incident("atlas"), at(NOON)));
  expect(due_ms).toBe(NOON - 1_000 + PACE_MS);
});

test("warnings wait for the end of the quiet hours, and critical concerns do not", () => {
  const quiet_hours = { from: 12, to: 7, time_zone: "UTC" };
  const target = targetWith({ quiet_hours });
  const warning = withOpened([], target, incident("atlas", "warning"), at(NOON));
  expect(one(warning).due_ms).toBe(Date.parse("2026-11-25T07:00:00Z"));
  expect(withClosed(warning, target, incident("atlas", "warning"), at(NOON + HOUR_MS))).toEqual([]);
  const critical = one(withOpened(warning, target, incident("basil"), at(NOON)));
  expect(critical.due_ms).toBe(NOON + GROUP_MS);
  expect(critical.opened).toHaveLength(2);
});

test("a target for critical concerns gets no warning", () => {
  const target = targetWith({ severity: "critical" });
  expect(withOpened([], target, incident("atlas", "warning"), at(NOON))).toEqual([]);
  expect(withOpened([], target, incident("atlas"), at(NOON))).toHaveLength(1);
});

const TARGETS: [NewTarget: Record<string, string>, url: string, body: Record<string, unknown>][] = [
  [
    { kind: "webhook", url: "https://hooks.example.com/edge" },
    "https://hooks.example.com/edge",
    { type: "concerns", opened: [{ code: "box_down", text: "Box a<b is down" }] },
  ],
  [
    { kind: "ntfy", url: "https://ntfy.example.com/base/my-topic", token: "tk_1" },
    "https://ntfy.example.com/base/",
    { topic: "my-topic", title: "Critical: Box a<b is down", priority: 5, sequence_id: "000042" },
  ],
  [
    { kind: "slack", url: "https://hooks.slack.com/services/T/B/x" },
    "https://hooks.slack.com/services/T/B/x",
    { text: "Critical: Box a&lt;b is down" },
  ],
  [
    { kind: "discord", url: "https://discord.com/api/webhooks/1/x" },
    "https://discord.com/api/webhooks/1/x",
    { content: "Critical: Box a<b is down", allowed_mentions: { parse: [] } },
  ],
  [
    { kind: "telegram", bot_token: "123:abc", chat_id: "-100" },
    "https://api.telegram.org/bot123:abc/sendMessage",
    { chat_id: "-100", text: "Critical: Box a<b is down" },
  ],
];

test.each(TARGETS)("sends a message in the form of %j", async (wish, url, body) => {
  const address = addressOf(NewTarget.parse(wish), newWebhookSecret);
  const notice = one(withOpened([], targetWith(), incident("a<b"), at(NOON)));
  const message = messageOf({ ...notice, id: "000042" });
  const request = await requestOf(wish.kind as TargetKind, address, message, NOON);
  expect(request.url).toBe(url);
  expect(JSON.parse(request.body)).toMatchObject(body);
});

test("a webhook is signed as Standard Webhooks describes", async () => {
  const address = {
    url: "https://hooks.example.com",
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    token: null,
    chat_id: null,
  };
  const message = { id: "msg_1", title: "", lines: [], severity: null, data: { test: 2432232314 } };
  const { headers, body } = await requestOf("webhook", address, message, 1_614_265_330_000);
  const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const secret = bytesOf("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const key = await crypto.subtle.importKey("raw", secret, hmac, false, ["verify"]);
  const [version, signature = ""] = (headers["webhook-signature"] ?? "").split(",");
  const signed = new TextEncoder().encode(`msg_1.1614265330.${body}`);
  expect(version).toBe("v1");
  expect(await crypto.subtle.verify(hmac, key, bytesOf(signature), signed)).toBe(true);
  expect(headers).toMatchObject({ "webhook-id": "msg_1", "webhook-timestamp": "1614265330" });
});

test("an address is readable with the secret of the edge only, and for its own target only", async () => {
  const address = { url: "https://hooks.example.com/x", secret: null, token: "t", chat_id: null };
  const sealed = await seal(address, "one", ["pepper-of-the-edge"]);
  expect(sealed).not.toContain("hooks");
  expect(await unseal(sealed, "one", ["another", "pepper-of-the-edge"])).toEqual(address);
  expect(await unseal(sealed, "two", ["pepper-of-the-edge"])).toBeNull();
  expect(await unseal(sealed, "one", ["another"])).toBeNull();
  expect(await unseal(await seal(address, "one", []), "one", [])).toEqual(address);
});
