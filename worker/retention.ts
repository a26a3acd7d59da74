/**
 * How long the edge and the external stores keep each kind of data, by the settings. The sums of the edge have
 * none: they contain no text, and other sums are made of them.
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
  /** A year and a month. */
  auditMs: 400 * DAY_MS,
};

/** In days: the retention in every external store. */
export type StoreRetention = {
  requestsDays: number;
  samplesDays: number;
  /** Sums by minute and energy by hour: longer than the requests that they sum. */
  sumsDays: number;
  auditDays: number;
};

const whole = (unit: string, least: number, most: number) => {
  const error = `must be a whole number of ${unit} from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,4}$/, error)
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error });
};

const auditDays = whole("days", 30, 3_650)
  .default(RETENTION.auditMs / DAY_MS)
  .describe(
    "days that the edge and the external stores keep the audit log, 30 to 3,650. The edge keeps at most 20,000 changes",
  );

/** Read by the Worker and by the programs that create the tables. */
export const STORE_RETENTION_VARIABLES = {
  RETENTION_STORE_LOGS_DAYS: whole("days", 1, 3_650)
    .default(90)
    .describe(
      "days that the [external stores](stores.md#retention) keep requests, with their texts, 1 to 3,650",
    ),
  RETENTION_STORE_SAMPLES_DAYS: whole("days", 1, 3_650)
    .default(30)
    .describe("days that they keep the samples of GPUs and machines, 1 to 3,650"),
  RETENTION_STORE_SUMS_DAYS: whole("days", 1, 3_650)
    .default(400)
    .describe("days that they keep the sums by minute and the energy by hour, 1 to 3,650"),
  RETENTION_AUDIT_DAYS: auditDays,
};

type StoreRetentionVariables = z.output<z.ZodObject<typeof STORE_RETENTION_VARIABLES>>;

export const storeRetentionOf = (set: StoreRetentionVariables): StoreRetention => ({
  requestsDays: set.RETENTION_STORE_LOGS_DAYS,
  samplesDays: set.RETENTION_STORE_SAMPLES_DAYS,
  sumsDays: set.RETENTION_STORE_SUMS_DAYS,
  auditDays: set.RETENTION_AUDIT_DAYS,
});

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
  RETENTION_AUDIT_DAYS: auditDays,
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
