/**
 * `/agent/connect`: the agents' WebSocket. An invalid request is refused before it wakes a Durable
 * Object.
 */
import { Hono } from "hono";
import { BOX_NAME, SUBPROTOCOL } from "../../protocol/limits.ts";
import { admitAgent } from "../auth.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { settingsOf } from "../settings.ts";

export const agentRoutes = new Hono<Env>().get("/agent/connect", async (c) => {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket")
    throw new GatewayError({ reason: "not_a_websocket" });
  const box = c.req.query("box") ?? "";
  if (!BOX_NAME.test(box))
    throw new GatewayError({
      reason: "bad_request",
      detail:
        "The query must name a box: box=<name>, 1 to 63 letters, digits, '.', '_' or '-', " +
        `starting with a letter or digit; got ${JSON.stringify(box.slice(0, 100))}.`,
    });
  await admitAgent(c.req.raw, settingsOf(c.env), box);
  const offered = c.req.header("sec-websocket-protocol") ?? "";
  if (!offered.split(",").some((protocol) => protocol.trim() === SUBPROTOCOL))
    throw new GatewayError({ reason: "protocol_mismatch", offered: offered.slice(0, 100) });
  return boxStubOf(c.env, box).fetch(`https://box/connect?box=${encodeURIComponent(box)}`, {
    headers: { upgrade: "websocket" },
  });
});
