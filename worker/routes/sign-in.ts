/** `/sign-in`: sends a browser to the identity provider, and takes it back. */
import { Hono } from "hono";
import { SIGN_IN_FAILED, SIGN_IN_PATH, SIGN_IN_RETURN_PATH } from "../../protocol/sign-in.ts";
import { begunSignIn, finishedSignIn } from "../browser-sign-in.ts";
import type { Env } from "../env.ts";
import { type FailureReason, failureOfError, GatewayError, wireErrorOf } from "../errors.ts";
import { begunCookieOf, cookieOf, senderOf } from "../session.ts";
import { settingsOf } from "../settings.ts";
import { authorOf, noteSignIn } from "./audited.ts";

export const signInRoutes = new Hono<Env>()
  .get(SIGN_IN_PATH, async (c) => {
    const request = c.req.raw;
    // Another page must not replace a session.
    if (senderOf(request) === "other_page") throw new GatewayError({ reason: "foreign_page" });
    try {
      const { url, cookie } = await begunSignIn(request, settingsOf(c.env), Date.now());
      return redirect(url, cookie);
    } catch (error) {
      const failure = failureOfError(error);
      if (failure.reason !== "issuer_silent") throw error;
      return toPage(failure);
    }
  })
  .get(SIGN_IN_RETURN_PATH, async (c) => {
    const request = c.req.raw;
    const over = begunCookieOf(request, null);
    try {
      const { principal, session } = await finishedSignIn(request, settingsOf(c.env), Date.now());
      noteSignIn(c, authorOf(c, principal));
      return redirect("/", over, cookieOf(request, session.value));
    } catch (error) {
      return toPage(failureOfError(error), over);
    }
  });

/** People see the page, not an answer in JSON. It shows the reason. */
function toPage(failure: FailureReason, ...cookies: string[]): Response {
  const { code } = wireErrorOf(failure);
  return redirect(`/?${SIGN_IN_FAILED}=${encodeURIComponent(code)}`, ...cookies);
}

function redirect(to: string, ...cookies: string[]): Response {
  const headers = new Headers({ location: to, "cache-control": "no-store" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 302, headers });
}
