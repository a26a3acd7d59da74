/** `/api/notifications` and `/api/thresholds`: the targets of messages about concerns, and when they are raised. */
import { type Context, Hono } from "hono";
import { NOTIFICATION_ROUTES, TARGETS_MAX } from "../../protocol/api/notifications.ts";
import { THRESHOLD_ROUTES } from "../../protocol/api/thresholds.ts";
import type { TargetsAnswer, TargetsWish } from "../aggregator/changing-targets.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { addressFault } from "../alerting/address.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { isOnLoopback } from "../origins.ts";
import { serveRoute } from "./api-route.ts";

export const notificationRoutes = new Hono<Env>();

serveRoute(notificationRoutes, NOTIFICATION_ROUTES.notifications, async (_, c) => ({
  targets: await change(c, { act: "list" }),
}));

serveRoute(notificationRoutes, NOTIFICATION_ROUTES.addTarget, async ({ body }, c) => {
  const fault = "url" in body ? addressFault(body.url, isOnLoopback(c.req.url)) : null;
  if (fault !== null) throw new GatewayError({ reason: "bad_request", detail: `url: ${fault}.` });
  const made = await change(c, { act: "add", target: body });
  if (made !== null) return made;
  const detail = `There are ${TARGETS_MAX} targets already: remove one first.`;
  throw new GatewayError({ reason: "bad_request", detail });
});

serveRoute(
  notificationRoutes,
  NOTIFICATION_ROUTES.changeTarget,
  async ({ params: { id }, body }, c) => {
    const changed = await change(c, { act: "change", id, edit: body });
    if (changed === null) throw unknown(id);
    return changed;
  },
);

serveRoute(notificationRoutes, NOTIFICATION_ROUTES.removeTarget, async ({ params: { id } }, c) => {
  if (!(await change(c, { act: "remove", id }))) throw unknown(id);
  return { status: "removed" as const, id };
});

serveRoute(notificationRoutes, NOTIFICATION_ROUTES.testTarget, async ({ params: { id } }, c) => {
  const result = await change(c, { act: "test", id });
  if (result === null) throw unknown(id);
  return result;
});

serveRoute(notificationRoutes, THRESHOLD_ROUTES.thresholds, async (_, c) =>
  aggregatorOf(c.env).thresholds(),
);

serveRoute(notificationRoutes, THRESHOLD_ROUTES.putThresholds, async ({ body: { rules } }, c) => {
  const aggregator = aggregatorOf(c.env);
  await aggregator.putThresholds(rules, c.get("requestId"));
  return aggregator.thresholds();
});

const unknown = (id: string) => new GatewayError({ reason: "target_unknown", id });

type ResultOf<Act extends TargetsWish["act"]> = Extract<TargetsAnswer, { act: Act }>["result"];

async function change<Act extends TargetsWish["act"]>(
  c: Context<Env>,
  wish: Extract<TargetsWish, { act: Act }>,
): Promise<ResultOf<Act>> {
  const { result } = await aggregatorOf(c.env).targets(wish, c.get("requestId"));
  return result as ResultOf<Act>;
}
