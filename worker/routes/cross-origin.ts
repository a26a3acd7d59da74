/**
 * Cross-origin calls (CORS): answers preflights, and lets admitted pages read every answer, errors
 * too.
 */
import type { Context, Next } from "hono";
import { callableBy, readableBy } from "../../protocol/cross-origin.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { isOwnOrigin, mayCall } from "../origins.ts";
import { settingsOf } from "../settings.ts";

export async function crossOrigin(c: Context<Env>, next: Next): Promise<Response | undefined> {
  const { raw } = c.req;
  const origin = c.req.header("origin");
  const isForeign = origin !== undefined && !isOwnOrigin(raw, origin);
  if (!isForeign) return void (await next());
  const isPreflight =
    raw.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined;
  if (mayCall(raw, origin, settingsOf(c.env).corsOrigins)) {
    if (isPreflight) {
      const wanted = c.req.header("access-control-request-headers") ?? "";
      return new Response(null, { status: 204, headers: callableBy(origin, wanted) });
    }
    await next();
    for (const [name, value] of Object.entries(readableBy(origin))) c.res.headers.set(name, value);
    return;
  }
  if (isPreflight)
    throw new GatewayError({ reason: "foreign_origin", origin: origin.slice(0, 200) });
  await next();
}
