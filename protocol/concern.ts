/**
 * The shape of a concern, on the wire and in `/api`: one schema for each code, made from the table
 * in `concerns.ts`.
 */
import * as z from "zod";
import { Count, Time } from "./api/shapes.ts";
import { Severity, type SubjectKind } from "./concerns/definition.ts";
import { CONCERN_CODES, CONCERNS, type ConcernCode } from "./concerns.ts";
import { BoxName } from "./records.ts";
import { SinkName } from "./stores.ts";

const SUBJECTS = {
  edge: z.object({ kind: z.literal("edge") }),
  box: z.object({ kind: z.literal("box"), box: BoxName }),
  gpu: z.object({ kind: z.literal("gpu"), box: BoxName, index: Count }),
  model: z.object({ kind: z.literal("model"), box: BoxName, model: z.string() }),
  external_store: z.object({
    kind: z.literal("external_store"),
    store: SinkName,
  }),
} satisfies Record<SubjectKind, z.ZodType>;

type SubjectSchema<Code extends ConcernCode> =
  (typeof SUBJECTS)[(typeof CONCERNS)[Code]["subject"]];
type ConcernSchema<Code extends ConcernCode> = z.ZodObject<{
  code: z.ZodLiteral<Code>;
  severity: typeof Severity;
  subject: SubjectSchema<Code>;
  since: z.ZodNullable<typeof Time>;
  params: z.ZodObject<(typeof CONCERNS)[Code]["params"]>;
}>;
type ConcernSchemas = { [Code in ConcernCode]: ConcernSchema<Code> };

const schemas = CONCERN_CODES.map((code) => {
  const { description, severity, subject, params } = CONCERNS[code];
  return z
    .object({
      code: z.literal(code),
      severity: typeof severity === "string" ? z.literal(severity) : Severity,
      subject: SUBJECTS[subject],
      since: Time.nullable().describe("when it began; null when that is unknown"),
      params: z.object(params),
    })
    .describe(description);
});

/** One thing that is wrong now. */
export const Concern = z
  .discriminatedUnion(
    "code",
    schemas as unknown as [ConcernSchemas[ConcernCode], ...ConcernSchemas[ConcernCode][]],
  )
  .meta({
    id: "Concern",
    description:
      "One thing that is wrong now. Codes are stable; `params` holds the figures of each code.",
  });
export type Concern = z.infer<ConcernSchemas[ConcernCode]>;
export type ConcernOf<Code extends ConcernCode> = Extract<Concern, { code: Code }>;
