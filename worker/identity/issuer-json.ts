/** Reads what an issuer publishes: short JSON, in time. */
import * as z from "zod";

/** An issuer that takes longer does not answer. */
export const ISSUER_MS = 5_000;
const BYTES_MAX = 256 * 1024;

const Configuration = z.object({
  issuer: z.string(),
  jwks_uri: z.url(),
  authorization_endpoint: z.url().optional(),
  token_endpoint: z.url().optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
});
export type IssuerConfiguration = z.infer<typeof Configuration>;

/** @throws if there is no such answer */
export async function issuerJson(
  fetcher: typeof fetch,
  url: string,
  init: RequestInit = {},
): Promise<unknown> {
  const headers = { accept: "application/json", ...init.headers };
  const answer = await fetcher(url, { ...init, headers, signal: AbortSignal.timeout(ISSUER_MS) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const text = await answer.text();
  if (text.length > BYTES_MAX) throw new Error("the answer is too long");
  return JSON.parse(text);
}

/**
 * Reads the configuration of an issuer.
 * @throws if it is that of another one, or leads from https to addresses that anybody on the way can replace
 */
export async function configurationOf(
  issuer: string,
  fetcher: typeof fetch,
): Promise<IssuerConfiguration> {
  // A trailing slash is part of the names of some issuers, and not of their folders.
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const found = Configuration.parse(await issuerJson(fetcher, url));
  if (found.issuer !== issuer) throw new Error("the configuration is that of another issuer");
  const { jwks_uri, authorization_endpoint, token_endpoint } = found;
  const addresses = [jwks_uri, authorization_endpoint, token_endpoint].flatMap(
    (each) => each ?? [],
  );
  const isSafe = (address: string) =>
    new URL(issuer).protocol !== "https:" || new URL(address).protocol === "https:";
  if (!addresses.every(isSafe)) throw new Error("an address of it is not on https");
  return found;
}
