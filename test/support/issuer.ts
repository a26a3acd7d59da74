/** An identity provider on a real HTTP server: its configuration, its keys, and the tokens that it signs. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export type Signer = { kid: string; alg: string; key: CryptoKey; jwk: JWK };

export async function newSigner(kid: string, alg = "RS256"): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

export class Issuer implements AsyncDisposable {
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
    server.on("request", (request, answer) => {
      const path = request.url ?? "";
      this.requested.push(path);
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
      return { issuer: this.url, jwks_uri: `${this.url}/keys` };
    return path === "/keys" ? { keys: this.keys } : null;
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
