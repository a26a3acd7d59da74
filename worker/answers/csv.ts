/**
 * Lines of CSV (RFC 4180), meant for spreadsheets.
 *
 * Prompts are written by strangers, so a text that a spreadsheet would run as a formula is
 * disarmed.
 * The NDJSON export keeps every character.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */

type Value = string | number | boolean | null;

/** Returns the line with its CRLF. `null` is an empty field. */
export const csvLine = (values: readonly Value[]): string => `${values.map(fieldOf).join(",")}\r\n`;

function fieldOf(value: Value): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
