/**
 * The parts that traces and metrics of OTLP share, as JSON spells them. Pure.
 *
 * Integers of 64 bits are strings, ids are hexadecimal, and enumerations are numbers.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import { VERSION } from "../../version.ts";

type Value =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number }
  | { arrayValue: { values: Value[] } };
export type Attribute = { key: string; value: Value };

/** A number is a double; an integer is a `bigint`. Null is unknown, and left out. */
export type Attributes = Readonly<
  Record<string, string | boolean | bigint | number | readonly string[] | null>
>;

export const attributesOf = (attributes: Attributes): Attribute[] =>
  Object.entries(attributes).flatMap(([key, value]) =>
    value === null ? [] : [{ key, value: typedOf(value) }],
  );

function typedOf(value: NonNullable<Attributes[string]>): Value {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "bigint") return { intValue: String(value) };
  if (typeof value === "number") return { doubleValue: value };
  return { arrayValue: { values: value.map((text) => ({ stringValue: text })) } };
}

/** Returns an integer attribute; null if it is unknown. */
export const integer = (value: number | null): bigint | null =>
  value === null ? null : BigInt(Math.round(value));

const NS_PER_MS = 1_000_000n;

/** Returns a time in nanoseconds. @param afterMs  added to it, with its fraction */
export const nanosOf = (atMs: number, afterMs = 0): string =>
  String(BigInt(Math.round(atMs)) * NS_PER_MS + BigInt(Math.round(afterMs * 1e6)));

const NAME = "ollama-edge-serve";
export const SCOPE = { name: NAME, version: VERSION };

/** @param host  the box that the data describes as a machine; null for what the edge did */
export const resourceOf = (service: string, host: string | null): { attributes: Attribute[] } => ({
  attributes: attributesOf({
    "service.name": service,
    "service.version": VERSION,
    "host.name": host,
  }),
});
