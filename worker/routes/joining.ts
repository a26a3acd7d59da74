/** `/api/boxes/join`: codes to join with. `/api/boxes/{name}/revoke`: the removal of a box that joined. */
import type { Context } from "hono";
import { Hono } from "hono";
import { JOINING_ROUTES, type JoinCodeEntry } from "../../protocol/api/joining.ts";
import { CODE_MS } from "../../protocol/joining.ts";
import { authorityFor } from "../admission.ts";
import type { JoiningChange } from "../aggregator/joined-boxes.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { forgetBoxes } from "../gateway/known-fleet.ts";
import { codeOf, newJoiningId } from "../joining/code.ts";
import { demandUse } from "../principal.ts";
import { settingsOf } from "../settings.ts";
import { serveRoute } from "./api-route.ts";

export const joiningRoutes = new Hono<Env>();

serveRoute(joiningRoutes, JOINING_ROUTES.joinCodes, async (_, c) => {
  const { codes } = await changeJoining(c, { act: "list" });
  return { codes };
});

serveRoute(joiningRoutes, JOINING_ROUTES.makeJoinCode, async ({ body: { name } }, c) => {
  const authority = await authorityFor(settingsOf(c.env));
  const id = newJoiningId();
  const expiresMs = Math.ceil((Date.now() + CODE_MS) / 1_000) * 1_000;
  const { codes } = await changeJoining(c, { act: "make", id, name, expiresMs });
  const code = await codeOf(authority, id, expiresMs);
  const { origin } = new URL(c.req.url);
  const script = `curl -fsSLo install.sh ${origin}/agent/install.sh`;
  const named = name === null ? "" : `BOX_NAME=${name} `;
  const command = `${script} && sudo ${named}sh install.sh ${origin} ${code}`;
  return { ...entryOf(codes, id), code, command };
});

serveRoute(joiningRoutes, JOINING_ROUTES.cancelJoinCode, async ({ params: { id } }, c) => {
  const { codes } = await changeJoining(c, { act: "cancel", id });
  return entryOf(codes, id);
});

serveRoute(
  joiningRoutes,
  JOINING_ROUTES.revokeBox,
  async ({ params: { name: box }, principal }, c) => {
    demandUse(principal, null, box);
    await endJoining(c, { box, id: null, ended: "revoked", call: c.get("requestId") });
    return { status: "revoked" as const, box };
  },
);

/**
 * Ends the joining of a box. Resolves when its tunnel is closed and it cannot return.
 * @param id    only if this is its current joining; null for any
 * @param call  whose change this is in the audit log; null if it is only a part of it
 */
export async function endJoining(
  c: Context<Env>,
  { call, ...end }: Omit<Extract<JoiningChange, { act: "end" }>, "act"> & { call: string | null },
): Promise<void> {
  const { box } = end;
  const { joined } = await changeJoining(c, { act: "end", ...end }, call);
  await boxStubOf(c.env, box).remove(joined?.joined_at_ms ?? 0);
  forgetBoxes();
}

/** @throws {GatewayError} if the registry refuses */
export async function changeJoining(
  c: Context<Env>,
  change: JoiningChange,
  call: string | null = c.get("requestId"),
) {
  const result = await aggregatorOf(c.env).changeJoining(change, call);
  if (result.refusal !== null) throw new GatewayError(result.refusal);
  return result;
}

/** A code that was just made or cancelled is listed. */
const entryOf = (codes: readonly JoinCodeEntry[], id: string): JoinCodeEntry =>
  codes.find((each) => each.id === id) as JoinCodeEntry;
