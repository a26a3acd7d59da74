/**
 * Values as lines of CSV (RFC 4180).
 *
 * For spreadsheets, so a text that one would run as a formula is disarmed: prompts are written by
 * strangers. Who wants every character as it is takes NDJSON.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */

type Value = string | number | boolean | null;

/** @returns the line with its CRLF. `null` is an empty field. */
export const csvLine = (values: readonly Value[]): string => `${values.map(fieldOf).join(",")}\r\n`;

function fieldOf(value: Value): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
