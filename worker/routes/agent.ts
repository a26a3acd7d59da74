/**
 * `/agent/connect`: the agents' WebSocket. `/agent/join` and `/agent/leave`: a box joins this edge, or leaves
 * it. An invalid request is refused before it wakes a Durable Object.
 */
import type { Context } from "hono";
import { Hono } from "hono";
import { type Joined, JoinRequest, type Membership, proofText } from "../../protocol/joining.ts";
import { BOX_NAME, SUBPROTOCOL } from "../../protocol/limits.ts";
import { authorityFor, memberOf, offersCertificate, orGuessing } from "../admission.ts";
import { admitAgent } from "../auth.ts";
import { memberHeaders } from "../box/member.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Env } from "../env.ts";
import { badRequest, GatewayError } from "../errors.ts";
import { jsonBodyOf } from "../gateway/call.ts";
import { forgetBoxes } from "../gateway/known-fleet.ts";
import { joinedFor } from "../gateway/known-joined.ts";
import { authoritiesOf, isSignedBy } from "../joining/authority.ts";
import { certify, clockOff } from "../joining/certificate.ts";
import { checkCode, newJoiningId } from "../joining/code.ts";
import { settingsOf } from "../settings.ts";
import { agentAuthor, audited, changeBy } from "./audited.ts";
import { changeJoining, endJoining } from "./joining.ts";

export const agentRoutes = new Hono<Env>();

agentRoutes.get("/agent/connect", async (c) => {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket")
    throw new GatewayError({ reason: "not_a_websocket" });
  const box = boxNamed(c);
  const settings = settingsOf(c.env);
  let member: Membership | null = null;
  if (offersCertificate(c.req.raw))
    member = await memberOf(c.req.raw, settings, { box, purpose: "connect" }, joinedFor(c));
  else await admitAgent(c.req.raw, settings, box);
  const offered = c.req.header("sec-websocket-protocol") ?? "";
  if (!offered.split(",").some((protocol) => protocol.trim() === SUBPROTOCOL))
    throw new GatewayError({ reason: "protocol_mismatch", offered: offered.slice(0, 100) });
  const answer = await boxStubOf(c.env, box).fetch(
    `https://box/connect?box=${encodeURIComponent(box)}`,
    { headers: { upgrade: "websocket", ...memberHeaders(member) } },
  );
  // The headers of a refusal cannot be changed unless it is copied.
  return answer.webSocket === null ? new Response(answer.body, answer) : answer;
});

agentRoutes.post("/agent/join", async (c) => {
  const parsed = JoinRequest.safeParse(await jsonBodyOf(c.req.raw));
  if (!parsed.success) throw badRequest(parsed.error);
  const { code, box, public_key: publicKey, now_ms, signature } = parsed.data;
  const settings = settingsOf(c.env);
  const { host } = new URL(c.req.url);
  const { id: codeId } = await orGuessing<{ id: string }>(c.req.raw, async () => {
    const found = await checkCode(code, await authoritiesOf(settings.peppers), Date.now());
    if ("reason" in found) return found;
    const text = proofText("join", host, box, code, now_ms);
    if (!(await isSignedBy(publicKey, text, signature))) return { reason: "proof_wrong", host };
    // The code is not used up, so the owner can set the clock and try again.
    return clockOff(now_ms, Date.now()) ?? found;
  });
  const isSecretBox = settings.boxSecrets.has(box);
  const newId = newJoiningId();
  const joining = changeBy(agentAuthor(c, "join_code"), "box_joined", {
    name: box,
    code_id: codeId,
  });
  const { joined } = await audited(c, joining, () =>
    changeJoining(c, { act: "join", codeId, newId, box, isSecretBox }),
  );
  const joinedMs = joined?.joined_at_ms ?? Date.now();
  // The box that this one replaces.
  await boxStubOf(c.env, box).remove(joinedMs - 1);
  forgetBoxes();
  const membership = { box, id: newId, publicKey, joinedMs };
  const certified = await certify(await authorityFor(settings), membership, Date.now());
  return c.json({ box, ...certified } satisfies Joined, 200, { "cache-control": "no-store" });
});

agentRoutes.post("/agent/leave", async (c) => {
  const box = boxNamed(c);
  const settings = settingsOf(c.env);
  const { id } = await memberOf(c.req.raw, settings, { box, purpose: "leave" }, joinedFor(c));
  const leaving = changeBy(agentAuthor(c, "box"), "box_left", { name: box });
  await audited(c, leaving, () =>
    endJoining(c, { box, id, ended: "left", call: c.get("requestId") }),
  );
  return c.json({ status: "left", box }, 200, { "cache-control": "no-store" });
});

/** @throws {GatewayError} unless the query names a box */
function boxNamed(c: Context<Env>): string {
  const box = c.req.query("box") ?? "";
  if (BOX_NAME.test(box)) return box;
  throw new GatewayError({
    reason: "bad_request",
    detail:
      "The query must name a box: box=<name>, 1 to 63 letters, digits, '.', '_' or '-', " +
      `starting with a letter or digit; got ${JSON.stringify(box.slice(0, 100))}.`,
  });
}
