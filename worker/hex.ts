/** Bytes as lower-case hexadecimal digits, and back. */

export const hexOf = (bytes: ArrayBufferLike): string =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param text  an even number of hexadecimal digits */
export const bytesOfHex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
