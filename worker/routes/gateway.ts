/** `/ollama/*`, `/v1/*`, and Ollama's paths at the root: its own APIs for callers, byte-true. */
import { type Context, Hono, type Next } from "hono";
import { OLLAMA_ACTIONS } from "../../protocol/audit.ts";
import { isOllamaPath } from "../../protocol/target.ts";
import { principalOf } from "../auth.ts";
import type { Env } from "../env.ts";
import { bodyOf, callOf, targetOf } from "../gateway/call.ts";
import { invocationOf } from "../gateway/known-fleet.ts";
import { callKeysFor } from "../gateway/known-keys.ts";
import { withoutLocalPaths } from "../gateway/local-paths.ts";
import { serveOperation } from "../gateway/operations.ts";
import { serve } from "../gateway/serve.ts";
import { unionAnswer } from "../gateway/union.ts";
import { routePathOf } from "../raw-path.ts";
import { settingsOf } from "../settings.ts";
import { methodsOf } from "./api-route.ts";
import { auditedBeside, authorOf, changeBy } from "./audited.ts";

/**
 * Splits `/ollama/…` and `/v1/…` into the path on Ollama, and the key and the box in front of it:
 * `/ollama/k/<key>/@<box>/…`, for clients that cannot send headers. Each is null if the path has none.
 */
function splitPath(raw: string): { path: string; key: string | null; box: string | null } {
  const found = /^\/ollama(?:\/k\/([^/]+))?(?:\/(?:@|%40)([^/]+))?(\/.*)?$/.exec(raw);
  if (found === null) return { path: raw, key: null, box: null };
  const [, key = null, box = null, path = "/"] = found;
  return { path, key, box };
}

async function gateway(c: Context<Env>): Promise<Response> {
  const request = c.req.raw;
  const settings = settingsOf(c.env);
  const { path, key, box } = splitPath(routePathOf(request));
  // The `ollama` command looks for a server first, and cannot show why a HEAD was refused. Its next
  // call can.
  if (request.method === "HEAD" && path === "/" && settings.authMode === "keys")
    return new Response(null);
  const principal = await principalOf(request, settings, key, callKeysFor(c));
  const target = targetOf(request.method, path);
  const call = callOf(request, target, c.get("requestId"), principal, box);
  const shell = invocationOf(c);
  const union = await unionAnswer(shell, call, principal);
  if (union !== null) return union;
  let named: string | null = null;
  const read = async () => {
    const body = await bodyOf(request, target.route, principal);
    named = body.model;
    return body;
  };
  const action = OLLAMA_ACTIONS[target.route.path] ?? null;
  const parameters = () => ({
    ...(named !== null && { model: named }),
    ...(box !== null && { box }),
  });
  const serving = target.route.kind === "management" ? serveOperation : serve;
  const answer =
    action === null
      ? await serving(shell, call, read)
      : await auditedBeside(
          c,
          () => changeBy(authorOf(c, principal), action, parameters()),
          () => serving(shell, call, read),
        );
  const showsPaths = target.route.path === "/api/show" && !principal.scopes.has("admin");
  return showsPaths ? withoutLocalPaths(answer) : answer;
}

/** Ollama's paths at the root, except `/api/chat`, which is also ours. */
const rootGateway = (c: Context<Env>, next: Next): Promise<Response | undefined> => {
  const path = routePathOf(c.req.raw);
  return isOllamaPath(path) && methodsOf(path).length === 0
    ? gateway(c)
    : next().then(() => undefined);
};

export const gatewayRoutes = new Hono<Env>()
  .all("/ollama", gateway)
  .all("/ollama/*", gateway)
  .all("/v1/*", gateway)
  .all("/api/*", rootGateway);
