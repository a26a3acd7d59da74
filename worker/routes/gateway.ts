/** `/ollama/*` and `/v1/*`: Ollama's own APIs for callers, byte-true. */
import { type Context, Hono } from "hono";
import { principalOf } from "../auth.ts";
import type { Env } from "../env.ts";
import { bodyOf, callOf, targetOf } from "../gateway/call.ts";
import { serve } from "../gateway/serve.ts";
import { rawPathOf } from "../raw-path.ts";
import { settingsOf } from "../settings.ts";

/** Splits `/ollama/…`, `/ollama/k/<key>/…` and `/v1/…` into the path on Ollama and the key, if any. */
function splitPath(raw: string): { path: string; key: string | null } {
  const keyed = /^\/ollama\/k\/([^/]+)(\/.*)?$/.exec(raw);
  if (keyed !== null) return { key: keyed[1] ?? "", path: keyed[2] ?? "/" };
  if (raw === "/ollama") return { key: null, path: "/" };
  return { key: null, path: raw.startsWith("/ollama/") ? raw.slice("/ollama".length) : raw };
}

async function gateway(c: Context<Env>): Promise<Response> {
  const request = c.req.raw;
  const settings = settingsOf(c.env);
  const { path, key } = splitPath(rawPathOf(request));
  const principal = await principalOf(request, settings, key);
  const target = targetOf(request.method, path);
  const call = callOf(request, target, c.get("requestId"), principal);
  return serve(
    c.env,
    (promise) => c.executionCtx.waitUntil(promise),
    call,
    () => bodyOf(request, target.route, principal),
  );
}

export const gatewayRoutes = new Hono<Env>()
  .all("/ollama", gateway)
  .all("/ollama/*", gateway)
  .all("/v1/*", gateway);
