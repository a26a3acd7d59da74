import { expect, test } from "vitest";
import { alertRules, dashboardQueries, grafanaDashboard } from "../../support/monitoring-files.ts";
import { filledIn, flawsOf, labelsOf } from "../../support/promql.ts";

test.each(alertRules())(
  "the alert $alert uses metrics and labels that exist",
  ({ expr, annotations }) => {
    expect(flawsOf(expr)).toEqual([]);
    for (const [, label] of Object.values(annotations)
      .join(" ")
      .matchAll(/\$labels\.(\w+)/g))
      expect(labelsOf(expr)).toContain(label);
    expect(annotations.summary).toMatch(/\{\{ \$(value|labels)/);
  },
);

test.each(dashboardQueries())(
  "the panel $name uses metrics and labels that exist",
  ({ expr, legend }) => {
    expect(flawsOf(filledIn(expr))).toEqual([]);
    for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g))
      expect(labelsOf(filledIn(expr))).toContain(label);
  },
);

test("the selectors of the dashboard use metrics and labels that exist", () => {
  const definitions = grafanaDashboard().templating.list.flatMap(
    ({ definition }) => definition ?? [],
  );
  expect(definitions).toHaveLength(2);
  for (const definition of definitions) {
    const [, metric = "", label] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
    expect(flawsOf(metric)).toEqual([]);
    expect(labelsOf(metric)).toContain(label);
  }
});

// Mostly mistakes that Prometheus accepts silently. The first three are the usual ones.
const FLAWED: [expr: string, flaw: RegExp][] = [
  ["histogram_quantile(0.95, ollama_request_latency_ms)", /no metric ollama_request_latency_ms/],
  [
    "histogram_quantile(0.95, sum by (model) (rate(ollama_request_latency_ms_bucket[5m])))",
    /summed over le/,
  ],
  ["histogram_quantile(0.95, sum by (le) (ollama_request_latency_ms_bucket))", /of all time/],
  ["histogram_quantile(0.95, rate(ollama_requests_total[5m]))", /are not buckets/],
  ["sum(rate(ollama_requests_total[5m])", /not PromQL/],
  ["rate(ollama_requests_total)", /needs a range/],
  ["rate(ollama_queue_depth[5m])", /also falls/],
  ["ollama_tokens_total", /no metric/],
  ['ollama_requests_total{model="a"}', /has no label model/],
  [
    "sum by (box) (ollama_model_requests_total) / sum by (box) (ollama_requests_total)",
    /ollama_requests_total has no label box/,
  ],
  ["ollama_gpu_power_watts / on (box, gpu) ollama_box_up", /ollama_box_up has no label gpu/],
];

test.each(FLAWED)("finds the mistake in %s", (expr, flaw) => {
  expect(flawsOf(expr).join("; ")).toMatch(flaw);
});
