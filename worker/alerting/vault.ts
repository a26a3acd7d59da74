/**
 * Encrypts what is secret about a target, with a key that follows from the secret behind the keys of this
 * edge (`KEY_PEPPER`). A copy of the storage alone reveals nothing.
 */
import { base64Of, bytesOfBase64 } from "../base64.ts";
import { jsonText } from "../storage/json-text.ts";
import { TargetAddress } from "./target.ts";

const IV_BYTES = 12;
const encoder = new TextEncoder();

/**
 * An edge that needs no key has no secret either, and runs on one machine: there the encryption only
 * keeps addresses out of sight.
 */
const NO_SECRET = "open mode";

/** @param id  names the target: the text cannot be moved to another one */
export async function seal(
  address: TargetAddress,
  id: string,
  [secret = NO_SECRET]: readonly string[],
): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const plain = encoder.encode(JSON.stringify(address));
  const cipher = { name: "AES-GCM", iv, additionalData: encoder.encode(id) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(cipher, await keyOf(secret), plain));
  return base64Of(new Uint8Array([...iv, ...sealed]));
}

/**
 * Returns the address, or null if its secret was replaced.
 * @param secrets  the secrets in use, newest first
 */
export async function unseal(
  text: string,
  id: string,
  secrets: readonly string[],
): Promise<TargetAddress | null> {
  const bytes = bytesOfBase64(text);
  const additionalData = encoder.encode(id);
  const cipher = { name: "AES-GCM", iv: bytes.slice(0, IV_BYTES), additionalData };
  for (const secret of secrets.length === 0 ? [NO_SECRET] : secrets) {
    try {
      const key = await keyOf(secret);
      const plain = await crypto.subtle.decrypt(cipher, key, bytes.slice(IV_BYTES));
      return Address.parse(new TextDecoder().decode(plain));
    } catch {
      // sealed with another secret
    }
  }
  return null;
}

const Address = jsonText(TargetAddress);

async function keyOf(secret: string): Promise<CryptoKey> {
  const bytes = encoder.encode(secret);
  const material = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]);
  const info = encoder.encode("notification targets");
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  const cipher = { name: "AES-GCM", length: 256 };
  return crypto.subtle.deriveKey(derivation, material, cipher, false, ["encrypt", "decrypt"]);
}
