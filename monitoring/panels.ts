/**
 * The kinds of panels on the Grafana dashboard, and the options that all panels of a kind share.
 */
import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimelineBuilder } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as ChartBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** The Prometheus that is selected at the top of the dashboard. */
export const DATASOURCE = { type: "prometheus", uid: "$datasource" };

/**
 * As in prometheus.yml. Grafana sets `$__rate_interval` to four of them, so that every rate has
 * samples.
 */
const SCRAPE_INTERVAL = "30s";

/** Widths in Grafana's grid of 24 columns. */
export const FULL = 24;
export const HALF = 12;
export const THIRD = 8;
export const QUARTER = 6;
const STAT_HEIGHT = 4;
const CHART_HEIGHT = 8;

/** A heading and the panels below it. */
export type Row = { title: string; panels: readonly Builder<Panel>[] };

/** An expression over the time range, and the names of its lines: `{{box}}` is the label. */
export type PanelQuery = { expr: string; legend: string };

export type StatOptions = {
  title: string;
  description: string;
  expr: string;
  unit: string;
  width: number;
  /** Text for a panel without a sample: unknown is not 0. */
  noValue: string;
  /** Values from which the panel is orange, or red. */
  orangeFrom?: number;
  redFrom?: number;
  /** Shows these labels of each sample instead of its value. */
  names?: string;
};

/** One current number, in a colour that shows whether somebody must act. */
export function stat({
  title,
  description,
  expr,
  unit,
  width,
  noValue,
  orangeFrom,
  redFrom,
  names,
}: StatOptions): Builder<Panel> {
  const steps = [
    { value: null, color: "green" },
    ...(orangeFrom === undefined ? [] : [{ value: orangeFrom, color: "orange" }]),
    ...(redFrom === undefined ? [] : [{ value: redFrom, color: "red" }]),
  ];
  return new StatBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .withTarget(promql({ expr, legend: names ?? title }, 0).instant())
    .unit(unit)
    .noValue(noValue)
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps))
    .colorMode(BigValueColorMode.Background)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .textMode(names === undefined ? BigValueTextMode.Value : BigValueTextMode.Name)
    .span(width)
    .height(STAT_HEIGHT);
}

export type ChartOptions = {
  title: string;
  description: string;
  queries: readonly PanelQuery[];
  unit: string;
  width: number;
  /** Upper end of the axis; a ratio goes to 1. */
  max?: number;
  isStacked?: boolean;
};

/**
 * Lines over time. Lines named "total" or "limit" are dashed: they are what the others can reach.
 */
export function chart({
  title,
  description,
  queries,
  unit,
  width,
  max,
  isStacked = false,
}: ChartOptions): Builder<Panel> {
  const panel = new ChartBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .targets(queries.map((query, index) => promql(query, index).range()))
    .unit(unit)
    .min(0)
    .fillOpacity(isStacked ? 30 : 0)
    .stacking(new StackingConfigBuilder().mode(isStacked ? StackingMode.Normal : StackingMode.None))
    .showPoints(VisibilityMode.Auto)
    .legend(new VizLegendOptionsBuilder().showLegend(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .overrideByRegexp("/ (total|limit)$/", [
      { id: "custom.lineStyle", value: { fill: "dash", dash: [8, 8] } },
    ])
    .span(width)
    .height(CHART_HEIGHT);
  return max === undefined ? panel : panel.max(max);
}

/** A band over time for each box: red while `expr` is 0, green while it is 1. */
export function bands(
  title: string,
  description: string,
  query: PanelQuery,
  width: number,
): Builder<Panel> {
  const steps = [
    { value: null, color: "red" },
    { value: 1, color: "green" },
  ];
  return new StateTimelineBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .withTarget(promql(query, 0).range())
    .mappings([
      {
        type: MappingType.ValueToText,
        options: { "0": { text: "down", index: 0 }, "1": { text: "up", index: 1 } },
      },
    ])
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .legend(new VizLegendOptionsBuilder().showLegend(false))
    .span(width)
    .height(CHART_HEIGHT);
}

function promql({ expr, legend }: PanelQuery, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .refId(String.fromCharCode("A".charCodeAt(0) + index))
    .datasource(DATASOURCE)
    .expr(expr)
    .legendFormat(legend)
    .interval(SCRAPE_INTERVAL);
}
