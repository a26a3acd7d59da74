/**
 * Keys that the edge makes: `oes_<pepper><id>_<mac>`.
 *
 * The MAC lets a Worker recognise its own keys with CPU alone. So a flood of invented keys wakes no
 * object and reads no store, and nobody can turn stored data into a key. The owner and the policy of a
 * key are stored under its id.
 */
import { bytesOfHex, hexOf } from "../hex.ts";

/**
 * A secret of the edge from which all its keys follow, and its name in them, which is public.
 * `secret` signs.
 */
export type Pepper = { name: string; secret: CryptoKey };

const ID_BYTES = 8;

const TOKEN = /^oes_([0-9a-f]{4})([0-9a-f]{16})_([0-9a-f]{64})$/;

/** `old_pepper`: the key may have been ours, but its pepper was replaced. */
export type Recognised = { id: string } | "old_pepper" | "invented";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();

/** @param text  a secret of at least 16 characters */
export async function pepperOf(text: string): Promise<Pepper> {
  const material = await crypto.subtle.importKey("raw", encoder.encode(text), "HKDF", false, [
    "deriveBits",
  ]);
  const derive = (info: string, bytes: number) =>
    crypto.subtle.deriveBits(
      { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(info) },
      material,
      bytes * 8,
    );
  const [name, secret] = await Promise.all([
    derive("key pepper name", 2),
    derive("key pepper", 32),
  ]);
  return {
    name: hexOf(name),
    secret: await crypto.subtle.importKey("raw", secret, HMAC, false, ["sign", "verify"]),
  };
}

export const newKeyId = (): string =>
  hexOf(crypto.getRandomValues(new Uint8Array(ID_BYTES)).buffer);

/** Returns the key with this id. It is the same each time, and is not kept anywhere. */
export async function tokenOf({ name, secret }: Pepper, id: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", secret, signed(name, id));
  return `oes_${name}${id}_${hexOf(mac)}`;
}

/** Returns whether a text looks like a key that an edge made. */
export const isToken = (text: string): boolean => TOKEN.test(text);

/**
 * Checks a key in constant time.
 * @param peppers  the peppers in use, newest first
 */
export async function recognise(text: string, peppers: readonly Pepper[]): Promise<Recognised> {
  const [, name = "", id = "", mac = ""] = TOKEN.exec(text) ?? [];
  if (id === "") return "invented";
  const pepper = peppers.find((each) => each.name === name);
  if (pepper === undefined) return "old_pepper";
  const isOurs = await crypto.subtle.verify(
    "HMAC",
    pepper.secret,
    bytesOfHex(mac),
    signed(name, id),
  );
  return isOurs ? { id } : "invented";
}

const signed = (pepper: string, id: string): Uint8Array => encoder.encode(`key|${pepper}|${id}`);
