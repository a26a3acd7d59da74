/** One dial to the edge: opening the socket of a tunnel, and reading why the edge refused it. */
import { connect } from "node:net";
import WebSocket from "ws";
import { MESSAGE_BYTES_MAX, SUBPROTOCOL } from "../../protocol/limits.ts";

const UNAUTHORIZED = 401;

/** Where the edge listens. */
export type EdgeAddress = {
  edgeUrl: URL;
  /** Path of a Unix socket, if it is dialled instead of the address of `edgeUrl`. */
  edgeSocket: string | null;
};

/** Opens a socket to the edge. `--check` dials the same way. */
export function dial(
  { edgeUrl, edgeSocket }: EdgeAddress,
  box: string,
  authorization: string | null,
  handshakeMs: number,
): WebSocket {
  const url = new URL(`/agent/connect?box=${encodeURIComponent(box)}`, edgeUrl);
  url.protocol = edgeUrl.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url, SUBPROTOCOL, {
    headers: authorization === null ? {} : { authorization },
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
    maxPayload: 2 * MESSAGE_BYTES_MAX,
    ...(edgeSocket === null ? {} : { createConnection: () => connect(edgeSocket) }),
  });
}

/** The codes of an edge that admits a box only after it has joined again. */
const REJOIN_CODES: ReadonlySet<unknown> = new Set([
  "box_removed",
  "certificate_ended",
  "certificate_unknown",
]);

/** Returns whether the box has to join again. @param body  the edge's answer to a refused upgrade */
export function needsToJoinAgain(body: string): boolean {
  try {
    return REJOIN_CODES.has((JSON.parse(body) as { error?: { code?: unknown } }).error?.code);
  } catch {
    return false; // not an answer of an edge
  }
}

/**
 * Returns the reason in the edge's answer to a refused upgrade.
 * @param authorization  the header that was sent; null without one
 */
export function refusalOf(status: number, body: string, authorization: string | null): string {
  if (status === UNAUTHORIZED && authorization === null)
    return (
      "BOX_SECRET is not set. Set it to the secret of this box in the Worker's BOX_SECRETS, or join with a code: " +
      "`ollama-edge-agent join`"
    );
  try {
    const { error } = JSON.parse(body) as { error?: { message?: unknown } };
    if (typeof error?.message === "string") return `${error.message} (HTTP ${status})`;
  } catch {
    // Not an answer of an edge: a proxy, or another server.
  }
  const advice = status >= 500 ? "it may be restarting" : "check EDGE_URL";
  return `the edge answered HTTP ${status} to the upgrade; ${advice}`;
}
