/** `DELETE /api/requests/{id}`: stops a request in flight, wherever it is. */
import { Hono } from "hono";
import { REQUEST_ROUTES } from "../../protocol/api/requests.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { boxStubOf } from "../box/stub.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { demand, mayChange, type Principal } from "../principal.ts";
import { serveRoute } from "./api-route.ts";

export const requestRoutes = new Hono<Env>();

serveRoute(requestRoutes, REQUEST_ROUTES.stopRequest, async ({ params: { id }, principal }, c) => {
  const isAdmin = principal.scopes.has("admin");
  const keyId = principal.key?.issued.id ?? null;
  // Only keys that the edge made know their own requests.
  if (!isAdmin && keyId === null) demand(principal, "admin");
  // Also those that are down: calls wait there for their agent.
  const boxes = (await aggregatorOf(c.env).registry()).filter(
    ({ name }) => !isAdmin || mayChange(principal, name),
  );
  const outcomes = await Promise.all(
    boxes.map(async ({ name }) => ({
      box: name,
      outcome: await boxStubOf(c.env, name).stop(id, nameOf(principal), isAdmin ? null : keyId),
    })),
  );
  const stopped = outcomes.find(({ outcome }) => outcome === "stopped");
  if (stopped !== undefined) return { status: "stopped" as const, id, box: stopped.box };
  if (outcomes.some(({ outcome }) => outcome === "not_theirs")) demand(principal, "admin");
  throw new GatewayError({ reason: "not_in_flight", id });
});

/** The name by which the caller of the stopped request, and its record, know who stopped it. */
const nameOf = ({ person, key, keyId }: Principal): string =>
  person?.name ?? key?.issued.policy.name ?? (keyId === null ? "an operator" : `the key ${keyId}`);
