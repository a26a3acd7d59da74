/**
 * How long the edge keeps each kind of data, by its settings. Sums have none: they contain no text, and other
 * sums are made of them.
 */
import * as z from "zod";
import { DAY_MS } from "../protocol/day.ts";

const HOUR_MS = 3_600_000;

/** In ms. */
export type Retention = {
  logsMs: number;
  /** The texts of the logs; null for as long as the logs. */
  textsMs: number | null;
  samplesMs: number;
  /** Null for as long as there is room. */
  eventsMs: number | null;
  auditMs: number;
};

/** The retention without settings. */
export const RETENTION: Retention = {
  logsMs: 7 * DAY_MS,
  textsMs: null,
  samplesMs: DAY_MS,
  eventsMs: null,
  /** A year and a month, as in the external stores. */
  auditMs: 400 * DAY_MS,
};

const whole = (unit: string, least: number, most: number) => {
  const error = `must be a whole number of ${unit} from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,4}$/, error)
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error });
};

/** The descriptions are in the table of `docs/configuration.md`. */
export const RETENTION_VARIABLES = {
  RETENTION_LOGS_DAYS: whole("days", 1, 90)
    .default(RETENTION.logsMs / DAY_MS)
    .describe("days that the edge keeps the records of requests, 1 to 90. At most 100,000 records"),
  RETENTION_TEXTS_HOURS: whole("hours", 1, 2_160)
    .optional()
    .describe(
      "hours that the edge keeps the prompts and answers in the records, and error messages that may quote them. " +
        "They are then removed permanently. Without it, they stay as long as the records",
    ),
  RETENTION_SAMPLES_HOURS: whole("hours", 1, 168)
    .default(RETENTION.samplesMs / HOUR_MS)
    .describe("hours that the edge keeps the samples of GPUs and machines, 1 to 168"),
  RETENTION_EVENTS_DAYS: whole("days", 1, 3_650)
    .optional()
    .describe("days that the edge keeps the events of boxes. At most 10,000 events in any case"),
  RETENTION_AUDIT_DAYS: whole("days", 30, 3_650)
    .default(RETENTION.auditMs / DAY_MS)
    .describe("days that the edge keeps the audit log, 30 to 3,650. At most 20,000 changes"),
};

type RetentionVariables = z.output<z.ZodObject<typeof RETENTION_VARIABLES>>;

/** Texts cannot outlive their records. */
export function checkRetention(set: RetentionVariables, context: z.RefinementCtx): void {
  const { textsMs, logsMs } = retentionOf(set);
  if (textsMs !== null && textsMs > logsMs)
    context.addIssue({
      code: "custom",
      path: ["RETENTION_TEXTS_HOURS"],
      message: `must not exceed RETENTION_LOGS_DAYS, which is ${set.RETENTION_LOGS_DAYS}`,
    });
}

export const retentionOf = (set: RetentionVariables): Retention => ({
  logsMs: set.RETENTION_LOGS_DAYS * DAY_MS,
  textsMs: set.RETENTION_TEXTS_HOURS === undefined ? null : set.RETENTION_TEXTS_HOURS * HOUR_MS,
  samplesMs: set.RETENTION_SAMPLES_HOURS * HOUR_MS,
  eventsMs: set.RETENTION_EVENTS_DAYS === undefined ? null : set.RETENTION_EVENTS_DAYS * DAY_MS,
  auditMs: set.RETENTION_AUDIT_DAYS * DAY_MS,
});
