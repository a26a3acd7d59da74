/** Bytes as base64 or base64url without padding, and back. */

export const base64Of = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

export const base64urlOf = (bytes: Uint8Array): string =>
  base64Of(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** @throws if the text is not base64 */
export const bytesOfBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/** @throws if the text is not base64url */
export const bytesOfBase64url = (text: string): Uint8Array<ArrayBuffer> =>
  bytesOfBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
