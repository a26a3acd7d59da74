/**
 * The membership of this box: its private key and the edge's certificate, in the state folder. Neither
 * leaves the box, and no other program gets them.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import {
  boxAuthorization,
  Certified,
  endorsementText,
  type Joined,
  type ProofPurpose,
  proofText,
} from "../../protocol/joining.ts";
import { BoxName } from "../../protocol/records.ts";
import { ConfigError } from "../errors.ts";
import { writeDurably } from "../state/durable-file.ts";

const KEY_FILE = "box-key.pem";
const MEMBERSHIP_FILE = "membership.json";

/** `renew_at_ms` is by this machine's clock. */
const Kept = z.object({
  edge: z.url(),
  box: BoxName,
  renew_at_ms: z.number(),
  ...Certified.omit({ lasts_ms: true }).shape,
});
type Kept = z.infer<typeof Kept>;

export const newBoxKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey;

/** Returns the raw public key, in hexadecimal digits. */
export const publicKeyOf = (key: KeyObject): string =>
  Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");

export const signatureOf = (key: KeyObject, text: string): string =>
  sign(null, Buffer.from(text), key).toString("hex");

/** The DER of an Ed25519 public key before its 32 bytes, see RFC 8410. */
const SPKI = "302a300506032b6570032100";

/** Returns whether the edge signed a text. @param publicKey  raw, in hexadecimal digits */
export function isSigned(publicKey: string, text: string, signature: string): boolean {
  const der = Buffer.from(SPKI + publicKey, "hex");
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  return verify(null, Buffer.from(text), key, Buffer.from(signature, "hex"));
}

export class BoxMembership {
  readonly #folder: string;
  readonly #key: KeyObject;
  #kept: Kept;

  private constructor(folder: string, key: KeyObject, kept: Kept) {
    this.#folder = folder;
    this.#key = key;
    this.#kept = kept;
  }

  /** Keeps a new membership. The folder exists. */
  static keep(folder: string, edge: URL, key: KeyObject, joined: Joined): BoxMembership {
    // The key first: a certificate without its key is useless.
    const pem = key.export({ format: "pem", type: "pkcs8" });
    writeDurably(join(folder, KEY_FILE), pem.toString());
    const kept = { edge: edge.origin, box: joined.box, ...keptPartOf(joined) };
    writeDurably(join(folder, MEMBERSHIP_FILE), JSON.stringify(kept));
    return new BoxMembership(folder, key, kept);
  }

  /**
   * Reads the membership; null if this box has not joined.
   * @throws {ConfigError} if it is damaged or cannot be read
   */
  static read(folder: string): BoxMembership | null {
    const path = join(folder, MEMBERSHIP_FILE);
    try {
      const kept = Kept.parse(JSON.parse(readFileSync(path, "utf8")));
      const key = createPrivateKey(readFileSync(join(folder, KEY_FILE)));
      return new BoxMembership(folder, key, kept);
    } catch (error) {
      if (isMissing(error, path)) return null;
      throw new ConfigError(
        `The membership of this box in ${folder} cannot be read (${reasonOf(error)}). ` +
          "Join again, or delete membership.json to use BOX_SECRET.",
      );
    }
  }

  /** Deletes key and certificate. */
  static forget(folder: string): void {
    for (const name of [MEMBERSHIP_FILE, KEY_FILE]) rmSync(join(folder, name), { force: true });
  }

  get edge(): URL {
    return new URL(this.#kept.edge);
  }

  get box(): string {
    return this.#kept.box;
  }

  /** The key with which the edge signs agents; raw, in hexadecimal digits. */
  get signingKey(): string {
    return this.#kept.signing_key;
  }

  isRenewalDue(nowMs: number): boolean {
    return nowMs >= this.#kept.renew_at_ms;
  }

  /** Returns the header that proves this box. @param host  the edge, as it is dialled */
  authorization(purpose: ProofPurpose, host: string, nowMs: number): string {
    const { box, certificate } = this.#kept;
    const text = proofText(purpose, host, box, certificate, nowMs);
    return boxAuthorization(certificate, nowMs, signatureOf(this.#key, text));
  }

  /**
   * Keeps a renewed certificate. Another signing key comes with it only if the trusted one endorses it:
   * the tunnel alone must not decide whose agents run here.
   * @returns whether the signing key is that of the certificate
   */
  renewed(certified: Certified): boolean {
    const trusted = this.#kept.signing_key;
    const { signing_key, endorsed = [] } = certified;
    const isTrusted =
      signing_key === trusted ||
      endorsed.some(
        ({ key, signature }) =>
          key === trusted && isSigned(trusted, endorsementText(signing_key), signature),
      );
    const kept = keptPartOf(certified);
    this.#kept = { ...this.#kept, ...kept, signing_key: isTrusted ? signing_key : trusted };
    writeDurably(join(this.#folder, MEMBERSHIP_FILE), JSON.stringify(this.#kept));
    return isTrusted;
  }
}

/** Renews at half of the time, by this machine's clock: the edge's may differ. */
const keptPartOf = ({ certificate, expires_at_ms, lasts_ms, signing_key }: Certified) => ({
  certificate,
  expires_at_ms,
  signing_key,
  renew_at_ms: Date.now() + lasts_ms / 2,
});

const isMissing = (error: unknown, path: string): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT" && !isThere(path);

function isThere(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof z.ZodError
    ? "it is damaged"
    : error instanceof Error && "code" in error
      ? String(error.code)
      : "it is damaged";
