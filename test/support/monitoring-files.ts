/** The files of monitoring/, read as what Prometheus and Grafana take from them. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import * as z from "zod";

export const MONITORING = new URL("../../monitoring/", import.meta.url);

const textOf = (name: string): string => readFileSync(new URL(name, MONITORING), "utf8");

const Rule = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string(),
  labels: z.strictObject({
    severity: z.enum(["warning", "critical"]),
    service: z.literal("ollama"),
  }),
  annotations: z.strictObject({ summary: z.string(), description: z.string() }),
});
export type Rule = z.infer<typeof Rule>;

const Rules = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(Rule) })),
});

export const alertRules = (): Rule[] =>
  Rules.parse(parse(textOf("prometheus_rules.yml"))).groups.flatMap(({ rules }) => rules);

const PrometheusConfig = z.looseObject({
  global: z.record(z.string(), z.unknown()),
  rule_files: z.array(z.string()),
  scrape_configs: z.array(z.looseObject({ job_name: z.string() })),
});
export type PrometheusConfig = z.infer<typeof PrometheusConfig>;

export const prometheusConfig = (
  name: "prometheus.yml" | "prometheus-cloudflare.yml",
): PrometheusConfig => PrometheusConfig.parse(parse(textOf(name)));

const Target = z.looseObject({
  expr: z.string(),
  legendFormat: z.string(),
  datasource: z.unknown(),
});
const Panel = z.looseObject({
  id: z.int().positive(),
  type: z.string(),
  title: z.string(),
  description: z.string().optional(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  fieldConfig: z
    .looseObject({ defaults: z.looseObject({ unit: z.string().optional() }) })
    .optional(),
  targets: z.array(Target).default([]),
});
const Variable = z.looseObject({
  name: z.string(),
  type: z.string(),
  definition: z.string().optional(),
});
const Dashboard = z.looseObject({
  title: z.string(),
  panels: z.array(Panel),
  templating: z.object({ list: z.array(Variable) }),
});
export type Dashboard = z.infer<typeof Dashboard>;

export const dashboardText = (): string => textOf("grafana-dashboard.json");
export const grafanaDashboard = (): Dashboard => Dashboard.parse(JSON.parse(dashboardText()));

/** Each query of the dashboard, called by its panel and line. */
export const dashboardQueries = (): { name: string; expr: string; legend: string }[] =>
  grafanaDashboard().panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({
      name: `${title}: ${legendFormat}`,
      expr,
      legend: legendFormat,
    })),
  );
