/** A real Prometheus scrapes the running stack with the configuration in monitoring/ and runs the dashboard's queries. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SIMULATED_SMI } from "../../local/edge.ts";
import { ALERTS } from "../../monitoring/alerts.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../simulated/ollama.ts";
import { KEY_METRICS } from "../../worker/exposition/key-metrics.ts";
import { METRICS } from "../../worker/exposition/metrics.ts";
import { parseExposition } from "../support/exposition-parser.ts";
import {
  dashboardQueries,
  grafanaDashboard,
  MONITORING,
  type PrometheusConfig,
  prometheusConfig,
} from "../support/monitoring-files.ts";
import { findPrometheus, lintOf } from "../support/prometheus.ts";
import { filledIn, metricsIn } from "../support/promql.ts";
import { RunningPrometheus } from "../support/running-prometheus.ts";
import { eventually, TestStack } from "../support/stack.ts";

const found = await findPrometheus();
const isMissing = "missing" in found;
const programs = isMissing ? { prometheus: "", promtool: "" } : found;

/** Families without a sample here, and the reason. */
const EMPTY_HERE: Record<string, string> = {
  [METRICS.untrusted.name]: "no agent invented a record",
  [METRICS.concern.name]: "nothing is wrong",
  ...Object.fromEntries(
    Object.values(KEY_METRICS).map(({ name }) => [name, "an open edge has no keys"]),
  ),
  ...Object.fromEntries(
    [METRICS.sinkBacklog, METRICS.sinkDelivered, METRICS.sinkDropped, METRICS.sinkLastSuccess].map(
      ({ name }) => [name, "no store is configured"],
    ),
  ),
};

let ollama: SimulatedOllama;
let stack: TestStack;
let prometheus: RunningPrometheus;

describe.skipIf(isMissing)(`Prometheus${isMissing ? ` (NOT RUN: ${found.missing})` : ""}`, () => {
  beforeAll(async () => {
    ollama = await startSimulatedOllama({ models: ["llama3.2:latest"], tokenMs: 1 });
    stack = await TestStack.start();
    await stack.startAgent({ name: "atlas", ollamaUrl: ollama.url, env: simulatedGpu(ollama.url) });
    const prices = [{ from: 0, to: 24, price_per_kwh: 0.4 }];
    await stack.json("/api/tariff", {
      method: "PUT",
      body: JSON.stringify({
        currency: "EUR",
        default: { time_zone: "UTC", co2_g_per_kwh: 380, prices },
      }),
    });
    prometheus = await RunningPrometheus.start(
      programs.prometheus,
      quickened(prometheusConfig("prometheus.yml"), stack),
    );
  });

  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
    await ollama?.close();
  });

  test("scrapes the edge and evaluates the rules", async () => {
    const targets = await eventually(async () => {
      const all = await prometheus.targets();
      return all.length > 0 && all.every(({ health }) => health !== "unknown") && all;
    });
    expect(targets).toEqual([
      { health: "up", lastError: "", scrapeUrl: `${stack.url}/api/metrics` },
    ]);
    expect(await prometheus.query('up{job="ollama"}')).toMatchObject([{ value: 1 }]);
    const rules = await eventually(async () => {
      const all = await prometheus.rules();
      return all.length > 0 && all.every(({ health }) => health !== "unknown") && all;
    });
    expect(rules).toHaveLength(Object.keys(ALERTS).length);
    for (const rule of rules) expect(rule).toMatchObject({ health: "ok", lastError: "" });
  });

  test("stores every series of the exposition, with the counts of /api", async () => {
    await traffic();
    const { total_requests } = await eventually(async () => {
      const stats = await stack.stats();
      return stats.total_requests === REQUESTS && stats;
    });
    await eventually(
      async () => (await prometheus.query("ollama_requests_total"))[0]?.value === total_requests,
    );
    const names = [...parseExposition(await exposition()).values()].flatMap(({ series }) =>
      series.map(({ name }) => name),
    );
    await eventually(async () => {
      const known = await prometheus.labelValues('{job="ollama"}', "__name__");
      return names.every((name) => known.includes(name));
    });
    let empty: string[] = [];
    await eventually(
      async () => {
        // The energy of a model that nobody uses comes with readings, which are rare unless watched.
        await stack.json("/api/live");
        const families = [...parseExposition(await exposition()).values()];
        empty = families.filter(({ series }) => series.length === 0).map(({ name }) => name);
        return empty.every((name) => name in EMPTY_HERE);
      },
      () => `no samples of ${empty}`,
    );
    expect(empty.sort()).toEqual(Object.keys(EMPTY_HERE).sort());
  });

  test("promtool objects only to the unit in the mandated name of a real scrape", async () => {
    expect(lintOf(programs.promtool, await exposition())).toEqual([
      expect.stringMatching(/^ollama_request_latency_ms .*abbreviated units$/),
    ]);
  });

  test("returns numbers for every query of the dashboard", async () => {
    // A rate is the difference between two scrapes, so the requests must come between them.
    await traffic();
    const without: string[] = [];
    for (const { name, expr, legend } of dashboardQueries()) {
      if (metricsIn(filledIn(expr)).some((metric) => metric in EMPTY_HERE)) {
        expect(await prometheus.query(filledIn(expr)), name).toEqual([]);
        continue;
      }
      const samples = await eventually(
        async () => {
          const all = await prometheus.query(filledIn(expr));
          return all.some(({ value }) => Number.isFinite(value)) && all;
        },
        () => `${name}: ${expr}`,
      );
      for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g))
        if (samples.every(({ labels }) => !labels[label])) without.push(name);
    }
    // An alert has only the labels of its own subject.
    expect(new Set(without)).toEqual(
      new Set(["Alerts: {{alertname}} {{box}} {{sink}} {{model}} ({{alertstate}})"]),
    );
  });

  test("offers the box and the model in the selectors of the dashboard", async () => {
    const [, box, model] = grafanaDashboard().templating.list;
    expect(box).toMatchObject({ definition: "label_values(ollama_box_up, box)" });
    expect(await prometheus.labelValues("ollama_box_up", "box")).toEqual(["atlas"]);
    expect(model).toMatchObject({ definition: "label_values(ollama_model_requests_total, model)" });
    expect(await prometheus.labelValues("ollama_model_requests_total", "model")).toContain(
      "llama3.2",
    );
  });

  test("sends the current content of the key file with the configuration for Cloudflare", async () => {
    const READ_KEY = "read-key-0123456789";
    await using locked = await TestStack.start({
      AUTH_MODE: "keys",
      ADMIN_KEY: "admin-key-0123456789",
      READ_KEY,
    });
    const keyFile = join(locked.folder, "read-key");
    writeFileSync(keyFile, `${READ_KEY}\n`);
    const config = quickened(prometheusConfig("prometheus-cloudflare.yml"), locked);
    const jobs = config.scrape_configs.map((job) => ({
      ...job,
      scheme: "http",
      authorization: { credentials_file: keyFile },
    }));
    await using other = await RunningPrometheus.start(programs.prometheus, {
      ...config,
      scrape_configs: jobs,
    });
    const becomes = (health: string) =>
      eventually(async () => (await other.targets()).find((target) => target.health === health));
    await becomes("up");
    writeFileSync(keyFile, "another-key-0123456789");
    expect((await becomes("down")).lastError).toContain("401");
    expect(await other.query('up{job="ollama"} == 0')).toHaveLength(1);
  });
});

/** Environment that makes the agent use our nvidia-smi. */
const simulatedGpu = (url: string): Record<string, string> => ({
  SIMULATED: "1",
  NVIDIA_SMI: SIMULATED_SMI,
  SIMULATED_OLLAMA: url,
  SIMULATED_GPU: "rtx-4090",
});

/** The committed configuration with another target and a faster pace. */
const quickened = (
  { global, rule_files, scrape_configs }: PrometheusConfig,
  { port }: TestStack,
): PrometheusConfig => ({
  global: { ...global, evaluation_interval: "1s" },
  rule_files: rule_files.map((file) => fileURLToPath(new URL(file, MONITORING))),
  scrape_configs: scrape_configs.map((job) => ({
    ...job,
    scrape_interval: "1s",
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  })),
});

const REQUESTS = 3;

/** Sends a streamed request, one for the page, and one that fails: {@link REQUESTS}. */
async function traffic(): Promise<void> {
  const messages = [{ role: "user", content: "Hello" }];
  const native = { model: "llama3.2", messages, options: { num_predict: 20 } };
  expect(await post("/ollama/api/chat", native)).toBe(200);
  expect(await post("/api/chat", { prompt: "Hello", model: "llama3.2", max_tokens: 20 })).toBe(200);
  ollama.fault([{ kind: "error_line", after_chunks: 0, times: 1 }]);
  expect(await post("/ollama/api/chat", native)).toBe(500);
}

async function post(path: string, body: unknown): Promise<number> {
  const answer = await fetch(stack.url + path, { method: "POST", body: JSON.stringify(body) });
  await answer.text();
  return answer.status;
}

const exposition = async (): Promise<string> => (await fetch(`${stack.url}/api/metrics`)).text();
