import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { ALERTS } from "../../../monitoring/alerts.ts";
import { Histogram } from "../../../worker/counting/histogram.ts";
import type { Family } from "../../../worker/exposition/family.ts";
import { METRICS } from "../../../worker/exposition/metrics.ts";
import { render } from "../../../worker/exposition/text.ts";
import { dashboardQueries, MONITORING } from "../../support/monitoring-files.ts";
import { findPrometheus, lintOf } from "../../support/prometheus.ts";
import { filledIn } from "../../support/promql.ts";

const found = await findPrometheus();
const isMissing = "missing" in found;
const promtool = isMissing ? "" : found.promtool;

/** A copy of monitoring/, because the configuration for Cloudflare requires a key file beside it. */
let folder = "";

/** A run of promtool takes a second or two, and ten times that on a busy machine. */
const TIMEOUT_MS = 60_000;

const NAME = `promtool${isMissing ? ` (NOT RUN: ${found.missing})` : ""}`;
describe.skipIf(isMissing)(NAME, { timeout: TIMEOUT_MS }, () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "monitoring-"));
    cpSync(MONITORING, folder, { recursive: true });
    writeFileSync(join(folder, "read-key"), "a-key\n");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("promtool accepts the rules", () => {
    expect(outputOf("check", "rules", "prometheus_rules.yml")).toContain(
      `${Object.keys(ALERTS).length} rules found`,
    );
  });

  test.each([
    ["each alert fires when it should, and at no other time", "prometheus_rules.test.yml"],
    ["each alert has a text with its numbers filled in", "prometheus_texts.test.yml"],
  ])("%s", (_what, file) => {
    expect(outputOf("test", "rules", file)).toContain("SUCCESS");
  });

  test("the tests of the alerts fail for a changed threshold", () => {
    const changed = mkdtempSync(join(folder, "changed-"));
    cpSync(join(folder, "prometheus_rules.test.yml"), join(changed, "prometheus_rules.test.yml"));
    const rules = readFileSync(join(folder, "prometheus_rules.yml"), "utf8");
    writeFileSync(
      join(changed, "prometheus_rules.yml"),
      rules.replace("celsius > 85", "celsius > 86"),
    );
    expect(() => outputOf("test", "rules", join(changed, "prometheus_rules.test.yml"))).toThrow(
      /GpuHot/,
    );
  });

  test.each(["prometheus.yml", "prometheus-cloudflare.yml"])("promtool accepts %s", (file) => {
    expect(outputOf("check", "config", file)).toContain("is valid prometheus config");
  });

  test("every query of the dashboard is valid PromQL", () => {
    const rules = dashboardQueries().map(({ expr }, index) => ({
      record: `query:${index}`,
      expr: filledIn(expr),
    }));
    writeFileSync(
      join(folder, "queries.yml"),
      stringify({ groups: [{ name: "dashboard", rules }] }),
    );
    expect(outputOf("check", "rules", "queries.yml")).toContain(`${rules.length} rules found`);
  });

  test("promtool objects only to the unit in the mandated metric name", () => {
    const families = Object.values<Family>(METRICS).map((family) => {
      const labels = family.labels.map((label) => `a-${label}`);
      if (family.buckets === undefined) return { family, samples: [{ labels, value: 1 }] };
      const histogram = new Histogram(family.buckets);
      histogram.add(1);
      return { family, samples: [{ labels, histogram }] };
    });
    expect(lintOf(promtool, render(families, false))).toEqual([
      expect.stringMatching(/^ollama_request_latency_ms .*abbreviated units$/),
    ]);
    expect(lintOf(promtool, "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n")).toEqual([
      expect.stringMatching(/^a_total /),
    ]);
  });
});

/**
 * Returns the output of promtool.
 * @throws with the output when it fails
 */
function outputOf(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`promtool ${args.join(" ")} (${status}): ${stdout}${stderr}`);
  return stdout;
}
