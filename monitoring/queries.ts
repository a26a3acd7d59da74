/** PromQL that several panels share. */
import type { PanelQuery } from "./panels.ts";

/** The boxes and models that are selected at the top of the dashboard. */
export const BOX = 'box=~"$box"';
export const MODEL = 'model=~"$model"';

/** The 50th, 95th and 99th percentile of a histogram, over the selected models together. */
export const percentiles = (histogram: string): PanelQuery[] =>
  [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${histogram}_bucket{${MODEL}}[$__rate_interval])))`,
    legend: `p${quantile * 100}`,
  }));

/** The used amount of something, and its total or limit beside it. */
export const usedOf = (
  used: string,
  whole: string,
  legend: string,
  wholeWord: "total" | "limit" = "total",
): PanelQuery[] => [
  { expr: `${used}{${BOX}}`, legend },
  { expr: `${whole}{${BOX}}`, legend: `${legend} ${wholeWord}` },
];
