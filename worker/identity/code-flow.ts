/**
 * The way of a browser to the issuer and back: OpenID Connect's authorization code flow with PKCE. The edge
 * keeps nothing: the browser brings back what was made for it, in a cookie.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7636, https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
 */
import { decodeJwt } from "jose";
import * as z from "zod";
import { base64Of, base64urlOf } from "../base64.ts";
import type { IdentityFailure } from "./failures.ts";
import { configurationOf, type IssuerConfiguration, issuerJson } from "./issuer-json.ts";
import type { IdentityClient } from "./settings.ts";

/** The configuration of an issuer rarely changes. */
const KNOWN_MS = 60 * 60_000;
/** A silent issuer gets one request in this time, however many browsers come. */
const READ_EVERY_MS = 5_000;

/** `state` ties the answer to this browser, `nonce` the token, and `verifier` the code. */
export const Begun = z.object({ state: z.string(), nonce: z.string(), verifier: z.string() });
export type Begun = z.infer<typeof Begun>;

/** The answer of the issuer, which the browser brings. */
export type Returned = {
  code?: string | undefined;
  state?: string | undefined;
  iss?: string | undefined;
  error?: string | undefined;
};

const Tokens = z.object({ id_token: z.string() });

type Endpoints = { authorize: string; token: string; postsSecret: boolean };

type Client = { client: IdentityClient; redirectUrl: string };

export class CodeFlow {
  readonly #issuer: string;
  readonly #fetch: typeof fetch;
  #known: { endpoints: Endpoints; atMs: number } | null = null;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(issuer: string, fetcher: typeof fetch = (...request) => fetch(...request)) {
    this.#issuer = issuer;
    this.#fetch = fetcher;
  }

  /** Returns the address that a browser goes to, and what it has to bring back; null if the issuer is silent. */
  async begin(
    { client, redirectUrl }: Client,
    nowMs: number,
  ): Promise<{ url: string; begun: Begun } | null> {
    const endpoints = await this.#endpoints(nowMs);
    if (endpoints === null) return null;
    const begun = { state: secret(), nonce: secret(), verifier: secret() };
    const url = new URL(endpoints.authorize);
    const parameters = {
      response_type: "code",
      client_id: client.id,
      redirect_uri: redirectUrl,
      scope: client.scopes,
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: await challengeOf(begun.verifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { url: url.href, begun };
  }

  /** Exchanges the code for the token of the person. It is made for this sign-in, and still has to be checked. */
  async finish(
    { client, redirectUrl }: Client,
    { code, state, iss, error }: Returned,
    begun: Begun | null,
    nowMs: number,
  ): Promise<{ token: string } | { failure: IdentityFailure }> {
    if (begun === null || state !== begun.state) return { failure: { reason: "sign_in_expired" } };
    if (iss !== undefined && iss !== this.#issuer) return refused("another issuer answered");
    if (error !== undefined || code === undefined) return refused("the provider refused it");
    const endpoints = await this.#endpoints(nowMs);
    if (endpoints === null) return { failure: { reason: "issuer_silent" } };
    const { id, secret: own } = client;
    const isPosted = endpoints.postsSecret || own === null;
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUrl,
      code_verifier: begun.verifier,
      ...(isPosted && { client_id: id }),
      ...(isPosted && own !== null && { client_secret: own }),
    });
    const headers: Record<string, string> = isPosted
      ? {}
      : { authorization: `Basic ${base64Of(encoded(`${formOf(id)}:${formOf(own ?? "")}`))}` };
    try {
      const answer = await issuerJson(this.#fetch, endpoints.token, {
        method: "POST",
        headers,
        body,
        redirect: "manual", // the platform has no "error"; a redirect is no answer
      });
      const { id_token: token } = Tokens.parse(answer);
      const { nonce, aud } = decodeJwt(token);
      if (nonce !== begun.nonce) return refused("its token is for another sign-in");
      if (![aud].flat().includes(id)) return refused("its token is for another client");
      return { token };
    } catch (failure) {
      console.warn(JSON.stringify({ event: "code_not_exchanged", why: nameOf(failure) }));
      return refused("the provider did not accept the code");
    }
  }

  async #endpoints(nowMs: number): Promise<Endpoints | null> {
    const known = this.#known;
    if (known !== null && nowMs - known.atMs < KNOWN_MS) return known.endpoints;
    if (nowMs - this.#readMs < READ_EVERY_MS) return known?.endpoints ?? null;
    this.#readMs = nowMs;
    try {
      const endpoints = endpointsIn(await configurationOf(this.#issuer, this.#fetch));
      this.#known = { endpoints, atMs: nowMs };
      this.#readMs = Number.NEGATIVE_INFINITY;
      return endpoints;
    } catch (error) {
      console.warn(JSON.stringify({ event: "issuer_not_read", why: nameOf(error) }));
      return known?.endpoints ?? null;
    }
  }
}

function endpointsIn(found: IssuerConfiguration): Endpoints {
  const { authorization_endpoint, token_endpoint, token_endpoint_auth_methods_supported } = found;
  if (authorization_endpoint === undefined || token_endpoint === undefined)
    throw new Error("the issuer signs nobody in");
  const methods = token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return {
    authorize: authorization_endpoint,
    token: token_endpoint,
    postsSecret: !methods.includes("client_secret_basic"),
  };
}

const refused = (why: string): { failure: IdentityFailure } => ({
  failure: { reason: "sign_in_refused", why },
});

const nameOf = (error: unknown): string => (error instanceof Error ? error.message : "unknown");

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

/** As a value in a form, which RFC 6749 requires of the parts of these credentials. */
const formOf = (text: string): string => new URLSearchParams({ v: text }).toString().slice(2);

const SECRET_BYTES = 32;
const secret = (): string => base64urlOf(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));

const challengeOf = async (verifier: string): Promise<string> =>
  base64urlOf(new Uint8Array(await crypto.subtle.digest("SHA-256", encoded(verifier))));
