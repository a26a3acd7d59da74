/** The documentation of variables, as their schemas have it. Pure. */
import * as z from "zod";

/** The variables of one program, by name. */
export type VariableSchemas = Readonly<Record<string, z.ZodType>>;

/** `fallback`: the default in Markdown; empty without one. */
export type DocumentedVariable = { name: string; description: string; fallback: string };

/** @throws {Error} if a variable has no description */
export const documented = (variables: VariableSchemas): DocumentedVariable[] =>
  Object.entries(variables).map(([name, schema]) => {
    const { description, fallback } = schema.meta() ?? {};
    if (description === undefined) throw new Error(`${name} has no description in its schema.`);
    const value = defaultOf(schema);
    return { name, description, fallback: value === "" ? String(fallback ?? "") : `\`${value}\`` };
  });

/** The default as a person would write it. It may be inside a pipe, whose end parses it further. */
function defaultOf(schema: unknown): string {
  if (schema instanceof z.ZodDefault) return String(schema.def.defaultValue);
  return schema instanceof z.ZodPipe ? defaultOf(schema.def.in) : "";
}
