/**
 * The authority of an edge over its boxes: the secrets with which it makes join codes and certificates, and
 * signs agents. All follow from a pepper, so every isolate and object can derive them.
 */
import { bytesOfBase64url } from "../base64.ts";
import { bytesOfHex, hexOf } from "../hex.ts";

/** `name` is public: it is in codes and certificates. */
export type Authority = {
  name: string;
  mac: CryptoKey;
  signing: CryptoKey;
  /** Checks what `signing` signed; raw, in hexadecimal digits. */
  signingPublic: string;
};

const encoder = new TextEncoder();
const HMAC = { name: "HMAC", hash: "SHA-256" };
const ED25519 = { name: "Ed25519" };
/** The DER of a private Ed25519 key before its 32 bytes, see RFC 8410. */
const PKCS8 = "302e020100300506032b657004220420";

/** @param pepper  a secret of at least 16 characters */
async function authorityOf(pepper: string): Promise<Authority> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(pepper), "HKDF", false, [
    "deriveBits",
  ]);
  const derive = (info: string, bytes: number) =>
    crypto.subtle.deriveBits(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(info) },
      material,
      bytes * 8,
    );
  const [name, mac, seed] = await Promise.all([
    derive("box authority name", 2),
    derive("box authority mac", 32),
    derive("box authority signing", 32),
  ]);
  const pkcs8 = bytesOfHex(PKCS8 + hexOf(seed));
  const signing = await crypto.subtle.importKey("pkcs8", pkcs8, ED25519, true, ["sign"]);
  const { x = "" } = (await crypto.subtle.exportKey("jwk", signing)) as JsonWebKey;
  return {
    name: hexOf(name),
    mac: await crypto.subtle.importKey("raw", mac, HMAC, false, ["sign"]),
    signing,
    signingPublic: hexOf(bytesOfBase64url(x).buffer),
  };
}

const known = new Map<string, Promise<Authority>>();
/** An edge has at most two peppers. */
const KNOWN_MAX = 8;

/** Returns the authorities of an edge, newest first. @param peppers  its secrets, newest first */
export const authoritiesOf = (peppers: readonly string[]): Promise<Authority[]> =>
  Promise.all(
    peppers.map((pepper) => {
      const made = known.get(pepper) ?? authorityOf(pepper);
      if (known.size >= KNOWN_MAX) known.clear();
      known.set(pepper, made);
      return made;
    }),
  );

/** @param bytes  the length of the result */
export async function macOf({ mac }: Authority, text: string, bytes = 32): Promise<Uint8Array> {
  const whole = await crypto.subtle.sign("HMAC", mac, encoder.encode(text));
  return new Uint8Array(whole, 0, bytes);
}

/** Compares in constant time. */
export async function isMacOf(authority: Authority, text: string, given: string): Promise<boolean> {
  const bytes = bytesOfHex(given);
  const own = await macOf(authority, text, bytes.length);
  return crypto.subtle.timingSafeEqual(own, bytes);
}

/** Returns the signature of the edge under a text, in hexadecimal digits. */
export const signedBy = async ({ signing }: Authority, text: string): Promise<string> =>
  hexOf(await crypto.subtle.sign(ED25519, signing, encoder.encode(text)));

/** Returns whether a box signed a text. @param publicKey  raw, in hexadecimal digits */
export async function isSignedBy(publicKey: string, text: string, given: string): Promise<boolean> {
  try {
    const key = await crypto.subtle.importKey("raw", bytesOfHex(publicKey), ED25519, false, [
      "verify",
    ]);
    return await crypto.subtle.verify(ED25519, key, bytesOfHex(given), encoder.encode(text));
  } catch {
    return false; // not a point of the curve
  }
}
