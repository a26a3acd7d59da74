/** Lengths of time that costs can be divided into. Apart from their shapes, so that the page needs no zod. */

export const COST_PERIODS = ["day", "week", "month"] as const;
export type CostPeriodLength = (typeof COST_PERIODS)[number];
