/**
 * Finds mistakes in PromQL before a Prometheus reads it: wrong syntax, and unknown metrics or labels.
 * An unknown name is not an error in Prometheus; the panel just stays empty.
 *
 * The syntax is Prometheus's own grammar. Its type checker comes only with a whole editor, so this file
 * looks for the type mistakes that the seed makes, and promtool finds the others.
 */
import { parser } from "@prometheus-io/lezer-promql";
import type { Family } from "../../worker/exposition/family.ts";
import { METRICS } from "../../worker/exposition/metrics.ts";

type SyntaxNode = ReturnType<typeof parser.parse>["topNode"];

export type KnownSeries = { labels: readonly string[]; rises: boolean };

/** Labels that Prometheus adds to every scraped series. */
const SCRAPED = ["job", "instance"];

/** Every series that a scrape can contain, and those that Prometheus adds, by name. */
export const KNOWN_SERIES: ReadonlyMap<string, KnownSeries> = new Map([
  ["up", { labels: SCRAPED, rises: false }],
  [
    "ALERTS",
    {
      labels: ["alertname", "alertstate", "service", "severity", "box", "sink", "model"],
      rises: false,
    },
  ],
  ...Object.values(METRICS).flatMap(seriesOf),
]);

function seriesOf({ name, type, labels: own }: Family): [string, KnownSeries][] {
  const labels = [...own, ...SCRAPED];
  if (type !== "histogram") return [[name, { labels, rises: type === "counter" }]];
  return [
    [`${name}_bucket`, { labels: [...labels, "le"], rises: true }],
    [`${name}_sum`, { labels, rises: true }],
    [`${name}_count`, { labels, rises: true }],
  ];
}

/** Replaces Grafana's variables by their values when "All" is selected. */
export const filledIn = (expr: string): string =>
  expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(box|model)\b/g, ".*");

/** Returns the names of the metrics in an expression. */
export const metricsIn = (expr: string): string[] =>
  descendants(rootOf(expr), "VectorSelector").map((node) => metricOf(expr, node));

/** Returns the labels that an expression groups by, or the labels of its metrics if it does not group. */
export function labelsOf(expr: string): string[] {
  const [outermost] = descendants(rootOf(expr), "AggregateExpr");
  if (outermost !== undefined) return groupingOf(expr, outermost);
  return metricsIn(expr).flatMap((metric) => KNOWN_SERIES.get(metric)?.labels ?? []);
}

/** Returns one sentence for each flaw. */
export function flawsOf(expr: string): string[] {
  const root = rootOf(expr);
  const text = (node: SyntaxNode): string => expr.slice(node.from, node.to);
  const flaws: string[] = [];
  const demandLabels = (labels: readonly string[], metrics: readonly string[]) => {
    for (const metric of metrics)
      for (const label of labels)
        if (KNOWN_SERIES.has(metric) && !KNOWN_SERIES.get(metric)?.labels.includes(label))
          flaws.push(`${metric} has no label ${label}`);
  };

  root.cursor().iterate((node) => {
    if (node.type.isError) flaws.push(`not PromQL at ${node.from}`);
  });
  for (const selector of descendants(root, "VectorSelector")) {
    const metric = metricOf(expr, selector);
    if (!KNOWN_SERIES.has(metric)) flaws.push(`there is no metric ${metric}`);
    demandLabels(descendants(selector, "LabelName").map(text), [metric]);
  }
  for (const aggregate of descendants(root, "AggregateExpr")) {
    demandLabels(
      groupingOf(expr, aggregate),
      descendants(aggregate, "VectorSelector").map((node) => metricOf(expr, node)),
    );
  }
  for (const clause of descendants(root, "MatchingModifierClause")) {
    const sides = clause.parent === null ? [] : descendants(clause.parent, "VectorSelector");
    demandLabels(
      descendants(clause, "LabelName").map(text),
      sides.map((node) => metricOf(expr, node)),
    );
  }
  for (const call of descendants(root, "FunctionCall")) {
    const name = text(call).split("(")[0];
    const metrics = descendants(call, "VectorSelector").map((node) => metricOf(expr, node));
    if (name === "rate" || name === "increase") {
      if (descendants(call, "MatrixSelector").length === 0) flaws.push(`${name} needs a range`);
      for (const metric of metrics)
        if (KNOWN_SERIES.get(metric)?.rises === false)
          flaws.push(`${name} of ${metric}, which also falls`);
    }
    if (name === "histogram_quantile") {
      for (const metric of metrics)
        if (!metric.endsWith("_bucket"))
          flaws.push(`a quantile of ${metric}, which are not buckets`);
      for (const aggregate of descendants(call, "AggregateExpr")) {
        if (!groupingOf(expr, aggregate).includes("le"))
          flaws.push("a quantile of buckets that were summed over le");
      }
      if (!descendants(call, "FunctionIdentifier").some((node) => text(node) === "rate"))
        flaws.push("a quantile of all time");
    }
  }
  return flaws;
}

const rootOf = (expr: string): SyntaxNode => parser.parse(expr).topNode;

/** Returns the nodes of this name in the tree, outermost first. */
function descendants(node: SyntaxNode, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  node.cursor().iterate((cursor) => {
    if (cursor.name === name) found.push(cursor.node);
  });
  return found;
}

function metricOf(expr: string, selector: SyntaxNode): string {
  const identifier = selector.getChild("Identifier");
  return identifier === null ? "" : expr.slice(identifier.from, identifier.to);
}

/** Returns the labels after `by`. */
function groupingOf(expr: string, aggregate: SyntaxNode): string[] {
  const modifier = aggregate.getChild("AggregateModifier");
  return modifier === null
    ? []
    : descendants(modifier, "LabelName").map((node) => expr.slice(node.from, node.to));
}
