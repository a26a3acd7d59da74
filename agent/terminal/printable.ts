/** Texts of others, such as names of models, as they may reach a terminal. Pure. */

/** Characters that move the cursor, change colours, or turn the direction of a line. */
const CONTROLS = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** Returns a value with a replacement character for each control character in its texts. */
export function printable<T>(value: T): T {
  if (typeof value === "string") return value.replace(CONTROLS, "\ufffd") as T;
  if (Array.isArray(value)) return value.map(printable) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, printable(one)])) as T;
}
