/** `/api/boxes/{name}/update`: offers the agent of this edge to a box. */
import { Hono } from "hono";
import { JOINING_ROUTES } from "../../protocol/api/joining.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Env } from "../env.ts";
import { type FailureReason, GatewayError } from "../errors.ts";
import { authoritiesOf } from "../joining/authority.ts";
import { offerOf } from "../joining/offer.ts";
import { demandUse } from "../principal.ts";
import type { RegisteredBox } from "../registered-box.ts";
import { servedAgent } from "../served-agent.ts";
import { settingsOf } from "../settings.ts";
import { serveRoute } from "./api-route.ts";

export const updateRoutes = new Hono<Env>();

serveRoute(
  updateRoutes,
  JOINING_ROUTES.updateBox,
  async ({ params: { name: box }, principal }, c) => {
    demandUse(principal, null, box);
    const known = (await aggregatorOf(c.env).registry()).find(({ name }) => name === box);
    if (known === undefined) throw new GatewayError({ reason: "box_unknown", box });
    const refusal = refusalOf(known);
    if (refusal !== null) throw new GatewayError(refusal);
    const { agent_version, boot_id: bootId } = known.hello;
    const file = await servedAgent(c.env);
    const authorities = await authoritiesOf(settingsOf(c.env).peppers);
    const offer = await offerOf(file, { box, bootId }, authorities);
    if (!(await boxStubOf(c.env, box).offerUpdate(offer)))
      throw new GatewayError({ reason: "box_down", box });
    return { status: "offered" as const, box, from_version: agent_version, ...file };
  },
);

function refusalOf({ name: box, state, hello }: RegisteredBox): FailureReason | null {
  if (state === "down") return { reason: "box_down", box };
  const { agent_version: version, takes_updates } = hello;
  switch (takes_updates) {
    case "yes":
      return null;
    case "forbidden":
      return { reason: "update_forbidden", box };
    case "not_joined":
      return { reason: "update_not_joined", box };
    case undefined:
      return { reason: "agent_too_old", box, version, lacks: "be updated from here" };
  }
}
