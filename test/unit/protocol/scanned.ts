/** Scans of bodies with a few guarded fields and one that is only read. */
import { fieldsOf, type JsonPlace } from "../../../protocol/json-places.ts";
import { type JsonScan, scanJson } from "../../../protocol/json-scan.ts";

const GUARDED = ["model", "stream", "keep_alive"];
export const ROOT: JsonPlace<null> = {
  fields: fieldsOf({ model: {}, stream: {}, keep_alive: {}, prompt: {} }, GUARDED),
};

export const bytesOf = (body: string | number[]): Uint8Array =>
  typeof body === "string" ? new TextEncoder().encode(body) : Uint8Array.from(body);
export const scan = (body: string | number[]): JsonScan => scanJson(bytesOf(body), ROOT, null);

/** Returns the texts of the fields that a scan finds, or the reason why it refuses the body. */
export function foundIn(body: string | number[]): Record<string, string> | string {
  const bytes = bytesOf(body);
  const found = scanJson(bytes, ROOT, null);
  if (!found.ok) return found.detail;
  return Object.fromEntries(
    Array.from(found.fields, ([name, { from, to }]) => [
      name,
      new TextDecoder().decode(bytes.subarray(from, to)),
    ]),
  );
}
