/**
 * The time inside a UUIDv7: its first 48 bits are unix milliseconds, the first 12 hexadecimal
 * digits.
 */

/** Returns the prefix that is not greater than any id of that millisecond or later. */
export function idFloor(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** Returns when an id was made, unix ms. */
export const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
