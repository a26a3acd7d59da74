/** JSON Schemas (2020-12) of what callers send and get, from the schemas that check it. Pure. */
import * as z from "zod";

/** The keywords of a JSON Schema that are read here. */
export type Schema = {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  [keyword: string]: unknown;
};

/** Returns a schema that refers to its own `$defs`. */
export function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    // A transformed value has no schema of its own; the caller sees the schema of its input.
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      // The format is clearer than its regular expression.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
      // A newer version may add fields to its answers.
      if (io === "output" && jsonSchema.additionalProperties === false)
        delete jsonSchema.additionalProperties;
    },
  });
  return json as Schema;
}
