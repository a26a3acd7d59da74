/** An identity provider on a real HTTP server: its configuration, its keys, and the tokens that it signs. */
import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export type Signer = { kid: string; alg: string; key: CryptoKey; jwk: JWK };

export async function newSigner(kid: string, alg = "RS256"): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

/** A person who is signed in at the issuer, and the client that may ask for their tokens. */
export type IssuerClient = {
  id: string;
  secret: string | null;
  signer: Signer;
  claims: JWTPayload;
};

type Given = { redirectUrl: string; nonce: string; challenge: string };

export class Issuer implements AsyncDisposable {
  /** Null: it signs nobody in. */
  client: IssuerClient | null = null;
  readonly #codes = new Map<string, Given>();
  /** The keys that it publishes. */
  keys: JWK[];
  /** Paths that were requested, in order. */
  readonly requested: string[] = [];
  isDown = false;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, keys: JWK[]) {
    this.#server = server;
    this.keys = keys;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", async (request, answer) => {
      const path = request.url ?? "";
      this.requested.push(path);
      const url = new URL(path, this.url);
      if (url.pathname === "/authorize")
        return answer.writeHead(302, { location: this.#authorized(url.searchParams) }).end();
      if (url.pathname === "/token") {
        const token = await this.#tokenFor(request.headers, await textOf(request));
        answer.writeHead(token === null ? 400 : 200, { "content-type": "application/json" });
        return answer.end(JSON.stringify(token === null ? {} : { id_token: token }));
      }
      const body = this.#bodyOf(path);
      answer.writeHead(this.isDown ? 500 : body === null ? 404 : 200, {
        "content-type": "application/json",
      });
      answer.end(JSON.stringify(body));
    });
  }

  static async start(...signers: Signer[]): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Issuer(
      server,
      signers.map(({ jwk }) => jwk),
    );
  }

  /** Returns how often its keys were fetched. */
  get fetches(): number {
    return this.requested.filter((path) => path === "/keys").length;
  }

  #bodyOf(path: string): object | null {
    if (path === "/.well-known/openid-configuration")
      return {
        issuer: this.url,
        jwks_uri: `${this.url}/keys`,
        authorization_endpoint: `${this.url}/authorize`,
        token_endpoint: `${this.url}/token`,
      };
    return path === "/keys" ? { keys: this.keys } : null;
  }

  /** Sends the browser back, as if its person had agreed at once. */
  #authorized(query: URLSearchParams): string {
    const [redirectUrl = "", nonce = "", challenge = "", state = ""] = [
      ...["redirect_uri", "nonce", "code_challenge", "state"].map((name) => query.get(name) ?? ""),
    ];
    const back = new URL(redirectUrl);
    back.searchParams.set("state", state);
    if (query.get("client_id") !== this.client?.id || query.get("code_challenge_method") !== "S256")
      back.searchParams.set("error", "unauthorized_client");
    else {
      const code = crypto.randomUUID();
      this.#codes.set(code, { redirectUrl, nonce, challenge });
      back.searchParams.set("code", code);
    }
    return back.href;
  }

  /** Each code works once, for the client and the browser that began. */
  async #tokenFor(headers: IncomingHttpHeaders, form: string): Promise<string | null> {
    const fields = new URLSearchParams(form);
    const code = fields.get("code") ?? "";
    const given = this.#codes.get(code);
    this.#codes.delete(code);
    const { client } = this;
    if (given === undefined || client === null) return null;
    const encodedSecret = new URLSearchParams({ s: client.secret ?? "" }).toString().slice(2);
    const basic = Buffer.from(`${client.id}:${encodedSecret}`).toString("base64");
    const isClient =
      client.secret === null
        ? fields.get("client_id") === client.id
        : headers.authorization === `Basic ${basic}`;
    const verifier = fields.get("code_verifier") ?? "";
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const isSame =
      challenge === given.challenge && fields.get("redirect_uri") === given.redirectUrl;
    if (!isClient || !isSame) return null;
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const claims = { iss: this.url, aud: client.id, exp, nonce: given.nonce, ...client.claims };
    return signed(client.signer, claims);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Signs claims; `header` replaces parts of the header. */
export const signed = (
  { key, kid, alg }: Signer,
  claims: JWTPayload,
  header: Record<string, unknown> = {},
): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(key);

/** Makes a token of any parts, with a signature of no key. */
export const unsigned = (header: object, claims: object, signature = ""): string =>
  [JSON.stringify(header), JSON.stringify(claims)]
    .map((part) => Buffer.from(part).toString("base64url"))
    .concat(signature)
    .join(".");
