/** The query parameters that select a period: its end, and its start or its length. */
import * as z from "zod";
import { Time } from "./shapes.ts";

export const PERIOD_SECONDS_MIN = 10;

export const periodFields = (secondsMax: number) => ({
  seconds: z.coerce
    .number()
    .int()
    .min(PERIOD_SECONDS_MIN)
    .max(secondsMax)
    .optional()
    .describe("length of the period, up to until; default 3600"),
  since: Time.optional().describe("start of the period, instead of seconds"),
  until: Time.optional().describe("end of the period; default now"),
});

type Period = {
  seconds?: number | undefined;
  since?: string | undefined;
  until?: string | undefined;
};

export const STARTS_ONCE = { error: "use seconds or since, not both", path: ["seconds"] };
export const startsOnce = ({ seconds, since }: Period): boolean =>
  seconds === undefined || since === undefined;

export const IN_ORDER = { error: "must be before until", path: ["since"] };
export const isInOrder = ({ since, until }: Period): boolean =>
  since === undefined || until === undefined || since < until;
