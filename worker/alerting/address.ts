/**
 * The addresses that the edge may send messages to. Pure.
 *
 * An administrator names them, and the edge calls them from its own network, so they must be public:
 * https and not an address of a private network. A name that resolves to one cannot be recognised here;
 * Cloudflare's Workers do not reach private networks.
 */
import type { NewTarget } from "../../protocol/api/notifications.ts";
import type { TargetAddress } from "./target.ts";

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const PRIVATE_IPV4 =
  /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|22[4-9]|2[3-5]\d)\./;
/** Unique local, link-local, unspecified, loopback, and IPv4 in IPv6. */
const PRIVATE_IPV6 = /^\[(f[cd]|fe[89ab]|::)/;
const PRIVATE_NAME = /(^|\.)(localhost|local|internal|home\.arpa|lan)$/;

/**
 * Returns the reason why the edge may not send to an address; null if it may.
 * @param isLocal  the edge runs on the machine of its administrator
 */
export function addressFault(text: string, isLocal: boolean): string | null {
  if (!URL.canParse(text)) return "is not a URL";
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return "must not contain a user or a password";
  if (isLocal && LOOPBACK.test(hostname) && protocol === "http:") return null;
  if (protocol !== "https:") return "must begin with https://";
  const host = hostname.replace(/\.$/, "");
  const isPrivate =
    PRIVATE_IPV4.test(host) ||
    PRIVATE_IPV6.test(host) ||
    PRIVATE_NAME.test(host) ||
    !/[.:]/.test(host);
  return isPrivate && !(isLocal && LOOPBACK.test(host))
    ? "must be the address of a public host"
    : null;
}

const TELEGRAM = "https://api.telegram.org";

/** @param newSecret  makes the secret of a webhook */
export function addressOf(target: NewTarget, newSecret: () => string): TargetAddress {
  const none = { secret: null, token: null, chat_id: null };
  switch (target.kind) {
    case "webhook":
      return { ...none, url: target.url, secret: newSecret() };
    case "ntfy":
      return { ...none, url: target.url, token: target.token ?? null };
    case "slack":
    case "discord":
      return { ...none, url: target.url };
    case "telegram":
      return { ...none, url: TELEGRAM, token: target.bot_token, chat_id: target.chat_id };
  }
}
