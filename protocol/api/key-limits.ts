/** The limits of keys: how much a key may use, and the rest of it. */
import * as z from "zod";
import { Time } from "./shapes.ts";

/** The periods of limits, in UTC. */
export const LIMIT_PERIODS = ["minute", "day", "month"] as const;
export type LimitPeriod = (typeof LIMIT_PERIODS)[number];

/** The limits of what calls use. It is known when a call is over. */
export const SPENDING = ["tokens", "wh", "money"] as const;
export type Spending = (typeof SPENDING)[number];

const AT_LEAST_ONE = "must be at least 1: revoke the key, or remove its scope, to admit nothing";
const LimitMax = z.int({ error: "must be a whole number" }).min(1, AT_LEAST_ONE);
const AmountMax = z
  .number()
  .positive("must be more than 0: revoke the key, or remove its scope, to admit nothing")
  .max(1e12);

const eachPeriod = <Max extends z.ZodType<number>>(max: Max) =>
  z.partialRecord(z.enum(LIMIT_PERIODS), max).nullable().default(null);

/** How much a key may use. */
export const KeyLimits = z.strictObject({
  parallel: LimitMax.nullable().default(null).describe("calls that are open at once; null: any"),
  requests: eachPeriod(LimitMax).describe(
    "calls that begin in a minute, a day or a month of UTC; null: any",
  ),
  tokens: eachPeriod(LimitMax).describe("tokens of their prompts and answers; null: any"),
  wh: eachPeriod(AmountMax).describe("energy of the GPUs for them, in watt-hours; null: any"),
  money: eachPeriod(AmountMax).describe(
    "cost of that energy, in the currency of the tariff; null: any",
  ),
});
export type KeyLimits = z.infer<typeof KeyLimits>;

/** `reserved`: the amount that open calls, and those without a record yet, are expected to use. */
export const LimitLeft = z
  .object({
    limit: z.number(),
    used: z.number(),
    reserved: z.number().describe("expected of calls that are open or have no record yet"),
    remaining: z.number().describe("limit less used and reserved, at least 0"),
    resets_at: Time.nullable().describe("end of the period; null for parallel calls"),
  })
  .meta({ id: "LimitLeft" });
export type LimitLeft = z.infer<typeof LimitLeft>;

/** By limit and period, for the limits that the key has. Parallel calls have the period `now`. */
export const LimitsLeft = z
  .partialRecord(
    z.enum(["parallel", "requests", ...SPENDING]),
    z.partialRecord(z.enum(["now", ...LIMIT_PERIODS]), LimitLeft),
  )
  .meta({ id: "LimitsLeft" });
export type LimitsLeft = z.infer<typeof LimitsLeft>;
