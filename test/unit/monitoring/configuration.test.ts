import { expect, test } from "vitest";
import { alertRules, prometheusConfig } from "../../support/monitoring-files.ts";

test("the scrape job on this machine is the documented one, to the letter", () => {
  expect(prometheusConfig("prometheus.yml").scrape_configs).toEqual([
    {
      job_name: "ollama",
      static_configs: [{ targets: ["localhost:8000"] }],
      metrics_path: "/api/metrics",
      scrape_interval: "30s",
    },
  ]);
});

test("on Cloudflare it differs by the host, https and the key, and the key is in a file", () => {
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

test("the alerts are the documented three, and those of boxes, stores and models", () => {
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
    GpuHot: "5m, warning",
    ModelOnCpu: "5m, warning",
  });
});
