/**
 * The public keys of an issuer, as this isolate knows them.
 *
 * They are fetched when a token names a key that is not known, at most once in a while, whatever callers
 * send. If the issuer does not answer, the known ones go on serving for a day.
 */
import { createLocalJWKSet, type JSONWebKeySet } from "jose";
import * as z from "zod";
import { configurationOf, ISSUER_MS, issuerJson } from "./issuer-json.ts";

/** A key that is unknown makes the keys be fetched no more often than this. */
export const FETCHED_EVERY_MS = 30_000;
/** After this they are fetched again: an issuer also withdraws keys. */
export const KNOWN_MS = 60 * 60_000;
/** Without an answer of the issuer, they are no longer trusted after this. */
export const TRUSTED_MS = 24 * 60 * 60_000;
const WAIT_MS = 20;

const KeySet = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })).max(100),
});

export type KeyOfToken = ReturnType<typeof createLocalJWKSet>;

type Known = { ids: ReadonlySet<string>; find: KeyOfToken; fetchedMs: number };

export type KeySource = { issuer: string; keysUrl: string | null };

export class IssuerKeys {
  readonly #source: KeySource;
  readonly #fetch: typeof fetch;
  #known: Known | null = null;
  /** When the last fetch began, and whether it is over. */
  #begunMs = Number.NEGATIVE_INFINITY;
  #isFetching = false;

  constructor(source: KeySource, fetcher: typeof fetch = (...request) => fetch(...request)) {
    this.#source = source;
    this.#fetch = fetcher;
  }

  /** Returns the keys for a token that names one of them; null while the issuer does not answer. */
  async for(keyId: string, clock: () => number): Promise<KeyOfToken | null> {
    const isFresh = () => this.#known !== null && clock() - this.#known.fetchedMs < KNOWN_MS;
    if (!(isFresh() && this.#known?.ids.has(keyId))) await this.#refresh(clock);
    const known = this.#known;
    return known !== null && clock() - known.fetchedMs < TRUSTED_MS ? known.find : null;
  }

  async #refresh(clock: () => number): Promise<void> {
    if (clock() - this.#begunMs >= FETCHED_EVERY_MS) {
      this.#begunMs = clock();
      this.#isFetching = true;
      try {
        this.#known = { ...(await this.#read()), fetchedMs: clock() };
      } catch (error) {
        const why = error instanceof Error ? error.name : "unknown";
        console.warn(JSON.stringify({ event: "issuer_keys_not_read", why }));
      } finally {
        this.#isFetching = false;
      }
      return;
    }
    // Another call fetches them. Its promise may not be awaited here: it belongs to its own request.
    while (this.#known === null && this.#isFetching && clock() - this.#begunMs < ISSUER_MS)
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }

  async #read(): Promise<Omit<Known, "fetchedMs">> {
    const { keys } = KeySet.parse(await issuerJson(this.#fetch, await this.#keysUrl()));
    // A key for signing with a shared secret has no place among public ones.
    const usable = keys.filter(({ kty }) => kty !== "oct");
    return {
      ids: new Set(usable.flatMap(({ kid }) => kid ?? [])),
      find: createLocalJWKSet({ keys: usable } as JSONWebKeySet),
    };
  }

  async #keysUrl(): Promise<string> {
    const { issuer, keysUrl } = this.#source;
    if (keysUrl !== null) return keysUrl;
    return (await configurationOf(issuer, this.#fetch)).jwks_uri;
  }
}
