/**
 * JSON as Go reads and writes it, because Ollama is a Go program and its quirks are visible on the
 * wire: `<`, `>` and `&` are escaped, keys match without regard to case and the last one wins,
 * `null` means "not given", times have nanoseconds, and errors have Go's wording.
 */
import type * as z from "zod";

const ESCAPED: Record<string, string> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
};

/** Formats a value as Go's `json.Marshal` does. */
export const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (char) => ESCAPED[char] ?? char);

/**
 * Formats a UTC time as Go does; now by default. Node's clock has milliseconds only. The remaining
 * digits come from the monotonic clock, or for a stored time from the time itself, so that it is
 * always formatted alike.
 */
export function goTime(at?: Date): string {
  const rest =
    at === undefined
      ? process.hrtime.bigint() % 1_000_000n
      : (BigInt(at.getTime()) * 7_919n) % 1_000_000n;
  return (at ?? new Date()).toISOString().replace("Z", `${String(rest).padStart(6, "0")}Z`);
}

/** A request body that Ollama rejects with status 400. */
export class BadBody extends Error {
  override readonly name = "BadBody";
}

/**
 * Parses a JSON request body, with its top-level keys in lower case and `null`s left out.
 * @throws {BadBody} with Go's message, which is `EOF` for an empty body
 */
export function foldedBody(bytes: Buffer): Record<string, unknown> {
  const text = bytes.toString("utf8");
  if (text.trim() === "") throw new BadBody("EOF");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new BadBody(goSyntaxError(text, error instanceof Error ? error.message : ""));
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new BadBody(
      `json: cannot unmarshal ${goTypeOf(parsed)} into Go value of type api.Request`,
    );
  }
  const entries = Object.entries(parsed).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([key, value]) => [key.toLowerCase(), value]));
}

/** @throws {BadBody} with the wording of Go's `UnmarshalTypeError` */
export function bodyAs<Schema extends z.ZodType>(
  schema: Schema,
  struct: string,
  body: Record<string, unknown>,
): z.output<Schema> {
  const result = schema.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === "custom") throw new BadBody(issue.message);
  const path = issue?.path.filter((part) => typeof part === "string").join(".") ?? "";
  const expected = issue?.code === "invalid_type" ? issue.expected : "value";
  throw new BadBody(
    `json: cannot unmarshal ${goTypeOf(issue?.input)} into Go struct field ${struct}.${path} of type ${expected}`,
  );
}

function goSyntaxError(text: string, why: string): string {
  if (/unexpected end/i.test(why) || /unterminated/i.test(why)) return "unexpected EOF";
  const at = /position (\d+)/.exec(why)?.[1];
  const token =
    /Unexpected token '(.)'/u.exec(why)?.[1] ??
    text[at === undefined ? 0 : Number(at)] ??
    text[0] ??
    "";
  const place = /property name/i.test(why) ? "object key string" : "value";
  return `invalid character '${token}' looking for beginning of ${place}`;
}

function goTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value;
}
