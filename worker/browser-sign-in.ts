/**
 * The sign-in of a browser at the identity provider: it goes there with a cookie of ours, and comes back with a
 * code, which is exchanged for a session.
 */
import { SIGN_IN_RETURN_PATH } from "../protocol/sign-in.ts";
import { base64urlOf, bytesOfBase64url } from "./base64.ts";
import { GatewayError } from "./errors.ts";
import { Begun, CodeFlow } from "./identity/code-flow.ts";
import type { IdentitySettings } from "./identity/settings.ts";
import type { Principal } from "./principal.ts";
import { begunCookieOf, begunOf } from "./session.ts";
import type { Settings } from "./settings.ts";
import { sessionOfToken } from "./sign-in.ts";
import { withoutGuesses } from "./wrong-keys.ts";

const flows = new WeakMap<IdentitySettings, CodeFlow>();

/**
 * Returns the address that a browser goes to, and the cookie that it brings back.
 * @throws {GatewayError} `sign_in_off`, `issuer_silent`
 */
export async function begunSignIn(
  request: Request,
  settings: Settings,
  nowMs: number,
): Promise<{ url: string; cookie: string }> {
  const { flow, client } = flowOf(request, settings);
  const begun = await flow.begin(client, nowMs);
  if (begun === null) throw new GatewayError({ reason: "issuer_silent" });
  const text = base64urlOf(new TextEncoder().encode(JSON.stringify(begun.begun)));
  return { url: begun.url, cookie: begunCookieOf(request, text) };
}

/** @throws {GatewayError} if nobody is signed in */
export async function finishedSignIn(
  request: Request,
  settings: Settings,
  nowMs: number,
): Promise<{ principal: Principal; session: { value: string; expiresMs: number } }> {
  const { flow, client } = flowOf(request, settings);
  const { searchParams } = new URL(request.url);
  const [code, state, iss, error] = ["code", "state", "iss", "error"].map(
    (name) => searchParams.get(name) ?? undefined,
  );
  let flaw = "";
  // Each code that is not accepted costs a call of the provider.
  const token = await withoutGuesses(request, async () => {
    const returned = { code, state, iss, error };
    const finished = await flow.finish(client, returned, begunIn(request), nowMs);
    if ("token" in finished) return finished.token;
    if (finished.failure.reason !== "sign_in_refused") throw new GatewayError(finished.failure);
    flaw = finished.failure.why;
    return null;
  });
  if (token === null) throw new GatewayError({ reason: "sign_in_refused", why: flaw });
  return sessionOfToken(request, settings, token, nowMs);
}

/** @throws {GatewayError} `sign_in_off` */
function flowOf(request: Request, { identity, authMode }: Settings) {
  if (authMode !== "keys" || identity === null || identity.client === null)
    throw new GatewayError({ reason: "sign_in_off" });
  const flow = flows.get(identity) ?? new CodeFlow(identity.issuer);
  flows.set(identity, flow);
  const redirectUrl = `${new URL(request.url).origin}${SIGN_IN_RETURN_PATH}`;
  return { flow, client: { client: identity.client, redirectUrl } };
}

function begunIn(request: Request): Begun | null {
  const value = begunOf(request);
  if (value === null) return null;
  try {
    return Begun.parse(JSON.parse(new TextDecoder().decode(bytesOfBase64url(value))));
  } catch {
    return null;
  }
}
