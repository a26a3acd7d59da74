/**
 * The edge's HTTP surface: the order of its routes, and the one place where a failure becomes an answer.
 */
import { Hono } from "hono";
import { INERT } from "../protocol/answer-headers.ts";
import type { Dialect } from "../protocol/failures.ts";
import { newRequestId } from "../protocol/request-id.ts";
import { apiOf, isOllamaPath } from "../protocol/target.ts";
import type { Env } from "./env.ts";
import { errorResponse } from "./error-response.ts";
import { type FailureReason, GatewayError } from "./errors.ts";
import { routePathOf } from "./raw-path.ts";
import { agentRoutes } from "./routes/agent.ts";
import { methodsOf } from "./routes/api-route.ts";
import { auditRoutes } from "./routes/audit.ts";
import { benchRoutes } from "./routes/bench.ts";
import { chatRoutes } from "./routes/chat.ts";
import { costRoutes } from "./routes/costs.ts";
import { crossOrigin } from "./routes/cross-origin.ts";
import { dataRoutes } from "./routes/data.ts";
import { docsRoutes } from "./routes/docs.ts";
import { eventRoutes } from "./routes/events.ts";
import { fleetRoutes } from "./routes/fleet.ts";
import { gatewayRoutes } from "./routes/gateway.ts";
import { healthRoutes } from "./routes/health.ts";
import { joiningRoutes } from "./routes/joining.ts";
import { keyRoutes } from "./routes/keys.ts";
import { liveRoutes } from "./routes/live.ts";
import { mcpRoutes } from "./routes/mcp.ts";
import { notificationRoutes } from "./routes/notifications.ts";
import { ollamaRoutes } from "./routes/ollama.ts";
import { pageRoutes } from "./routes/page.ts";
import { pinRoutes } from "./routes/pins.ts";
import { planningRoutes } from "./routes/planning.ts";
import { repositoryRoutes } from "./routes/repository.ts";
import { requestRoutes } from "./routes/requests.ts";
import { sessionRoutes } from "./routes/session.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { statsRoutes } from "./routes/stats.ts";
import { updateRoutes } from "./routes/updates.ts";

const app = new Hono<Env>({ strict: true, getPath: routePathOf });

app.use(async (c, next) => {
  c.set("requestId", newRequestId(Date.now()));
  c.set("dialect", dialectOf(routePathOf(c.req.raw)));
  await next();
  if (c.res.webSocket === null) makeInert(c.res.headers);
});

app.use(crossOrigin);

// The page has no service worker. One of a box's making would replace the page from then on.
app.use(async (c, next) => {
  if (c.req.header("service-worker") !== undefined && !isAsset(routePathOf(c.req.raw)))
    throw new GatewayError({ reason: "service_worker" });
  await next();
});

app.route("/", healthRoutes);
app.route("/", agentRoutes);
app.route("/", chatRoutes);
app.route("/", updateRoutes);
app.route("/", joiningRoutes); // before /api/boxes/{name}
app.route("/", fleetRoutes);
app.route("/", statsRoutes);
app.route("/", liveRoutes);
app.route("/", requestRoutes);
app.route("/", eventRoutes);
app.route("/", notificationRoutes);
app.route("/", ollamaRoutes);
app.route("/", planningRoutes);
app.route("/", pinRoutes);
app.route("/", repositoryRoutes);
app.route("/", benchRoutes);
app.route("/", dataRoutes);
app.route("/", costRoutes);
app.route("/", keyRoutes);
app.route("/", sessionRoutes);
app.route("/", signInRoutes);
app.route("/", auditRoutes);
app.route("/", docsRoutes);
app.route(
  "/",
  mcpRoutes(async (request, { env, executionCtx }) => app.fetch(request, env, executionCtx)),
);
app.route("/", gatewayRoutes);
app.route("/", pageRoutes);

app.notFound((c) => {
  const raw = routePathOf(c.req.raw);
  const [method, path, allow] = [c.req.method, raw.slice(0, 200), methodsOf(raw)];
  const failure: FailureReason =
    allow.length > 0
      ? { reason: "wrong_method", method, path, allow }
      : { reason: "no_route", method, path };
  return errorResponse(c.get("dialect"), failure, c.get("requestId"));
});

app.onError((error, c) => {
  if (error instanceof GatewayError)
    return errorResponse(
      c.get("dialect"),
      error.failure,
      c.get("requestId"),
      c.req.raw.headers.get("user-agent"),
    );
  console.error(error); // a bug, not a failure: the caller learns only that it is the edge's
  return errorResponse(c.get("dialect"), { reason: "internal" }, c.get("requestId"));
});

export { app };

const isAsset = (path: string): boolean => path.startsWith("/assets/");

/**
 * Has a browser run, show and guess nothing of an answer that does not bring a policy of its own.
 */
function makeInert(headers: Headers): void {
  for (const [name, value] of Object.entries(INERT))
    if (!headers.has(name)) headers.set(name, value);
}

/** Returns the shape of errors on this path. */
function dialectOf(path: string): Dialect {
  const onOllama = /^\/ollama(?:\/k\/[^/]+)?(\/.*)?$/.exec(path);
  if (onOllama !== null) return apiOf(onOllama[1] ?? "/");
  return isOllamaPath(path) && methodsOf(path).length === 0 ? apiOf(path) : "api";
}
