/**
 * Cross-origin calls (CORS): answers preflights, and lets admitted pages read every answer, errors
 * too.
 */
import type { Context, Next } from "hono";
import { callableBy, readableBy } from "../../protocol/cross-origin.ts";
import { isOllamaPath } from "../../protocol/target.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { invocationOf } from "../gateway/known-fleet.ts";
import { isPageOfKey, isPageOfKnownKey } from "../gateway/known-keys.ts";
import { isOwnOrigin, mayCall } from "../origins.ts";
import { routePathOf } from "../raw-path.ts";
import { settingsOf } from "../settings.ts";

export async function crossOrigin(c: Context<Env>, next: Next): Promise<Response | undefined> {
  const { raw } = c.req;
  const origin = c.req.header("origin");
  if (origin === undefined || isOwnOrigin(raw, origin)) return void (await next());
  const settings = settingsOf(c.env);
  const isConfigured = mayCall(raw, origin, settings.corsOrigins);
  const mayBeOfKey = !isConfigured && settings.peppers.length > 0 && isOllamaPath(routePathOf(raw));
  if (isPreflight(c)) {
    if (!isConfigured && !(mayBeOfKey && (await isPageOfKey(invocationOf(c), origin))))
      throw new GatewayError({ reason: "foreign_origin", origin: origin.slice(0, 200) });
    const wanted = c.req.header("access-control-request-headers") ?? "";
    return new Response(null, { status: 204, headers: callableBy(origin, wanted) });
  }
  await next();
  if (isConfigured || (mayBeOfKey && isPageOfKnownKey(origin)))
    for (const [name, value] of Object.entries(readableBy(origin))) c.res.headers.set(name, value);
  return;
}

const isPreflight = (c: Context<Env>): boolean =>
  c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
