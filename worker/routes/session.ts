/** `/api/session`: signs a browser in and out. */
import { Hono } from "hono";
import { SESSION_ROUTES } from "../../protocol/api/session.ts";
import { sessionFor } from "../auth.ts";
import type { Env } from "../env.ts";
import { GatewayError } from "../errors.ts";
import { keysFor } from "../gateway/known-keys.ts";
import { cookieOf, senderOf } from "../session.ts";
import { settingsOf } from "../settings.ts";
import { serveRoute } from "./api-route.ts";
import { authorOf, noteSignIn } from "./audited.ts";

export const sessionRoutes = new Hono<Env>();

serveRoute(sessionRoutes, SESSION_ROUTES.signIn, async ({ body }, c) => {
  checkSender(c.req.raw);
  const { principal, session } = await sessionFor(
    c.req.raw,
    settingsOf(c.env),
    body.key,
    Date.now(),
    keysFor(c),
  );
  if (session !== null) c.header("set-cookie", cookieOf(c.req.raw, session.value));
  noteSignIn(c, authorOf(c, principal));
  return {
    scopes: [...principal.scopes],
    expires_at: session === null ? null : new Date(session.expiresMs).toISOString(),
  };
});

serveRoute(sessionRoutes, SESSION_ROUTES.signOut, async (_, c) => {
  checkSender(c.req.raw);
  c.header("set-cookie", cookieOf(c.req.raw, null));
  return { status: "signed_out" as const };
});

serveRoute(sessionRoutes, SESSION_ROUTES.signInWays, async (_, c) => {
  const { identity, authMode } = settingsOf(c.env);
  const isOffered = authMode === "keys" && identity !== null && identity.client !== null;
  return { issuer: isOffered ? new URL(identity.issuer).host : null };
});

/** Another page must not sign a browser in with a key of its own, nor sign it out. */
function checkSender(request: Request): void {
  if (senderOf(request) === "other_page") throw new GatewayError({ reason: "foreign_page" });
}
