import { expect, test } from "vitest";
import { alertRules, prometheusConfig } from "../../support/monitoring-files.ts";

test("the local scrape job matches the documented one exactly", () => {
  expect(prometheusConfig("prometheus.yml").scrape_configs).toEqual([
    {
      job_name: "ollama",
      static_configs: [{ targets: ["localhost:8000"] }],
      metrics_path: "/api/metrics",
      scrape_interval: "30s",
    },
  ]);
});

test("the scrape job for Cloudflare differs only in host, https and a key that is read from a file", () => {
  const local = prometheusConfig("prometheus.yml");
  const [localJob] = local.scrape_configs;
  expect(prometheusConfig("prometheus-cloudflare.yml")).toEqual({
    ...local,
    scrape_configs: [
      {
        ...localJob,
        scheme: "https",
        static_configs: [{ targets: [expect.stringMatching(/\.workers\.dev$/)] }],
        authorization: { credentials_file: "read-key" },
      },
    ],
  });
});

test("the rules contain the documented three alerts, and those for boxes, stores, models and GPUs", () => {
  expect(
    Object.fromEntries(
      alertRules().map(({ alert, for: wait, labels }) => [alert, `${wait}, ${labels.severity}`]),
    ),
  ).toEqual({
    HighErrorRate: "5m, critical",
    HighLatency: "5m, warning",
    ServiceDown: "1m, critical",
    BoxDown: "2m, critical",
    SinkBehind: "5m, warning",
    RecordsLost: "0m, critical",
    GpuLost: "2m, critical",
    GpuHot: "5m, warning",
    ModelOnCpu: "5m, warning",
    PromptsTruncated: "5m, warning",
    ColdStarts: "5m, warning",
    ModelSlow: "5m, warning",
    ModelErrorsHigh: "5m, warning",
    ModelLatencyHigh: "5m, warning",
    ModelsReloading: "5m, warning",
    AgentOutdated: "60m, warning",
    DiskShort: "60m, warning",
    GpuBypassed: "5m, warning",
  });
});
