import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { Histogram } from "../../../worker/counting/histogram.ts";
import { type Family, METRICS } from "../../../worker/exposition/metrics.ts";
import { render } from "../../../worker/exposition/text.ts";
import { dashboardQueries, MONITORING } from "../../support/monitoring-files.ts";
import { findPrometheus, lintOf } from "../../support/prometheus.ts";
import { filledIn } from "../../support/promql.ts";

const found = await findPrometheus();
const isMissing = "missing" in found;
const promtool = isMissing ? "" : found.promtool;

/** A copy of monitoring/, since the configuration for Cloudflare wants a key beside it. */
let folder = "";

describe.skipIf(isMissing)(`promtool${isMissing ? ` (NOT RUN: ${found.missing})` : ""}`, () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "monitoring-"));
    cpSync(MONITORING, folder, { recursive: true });
    writeFileSync(join(folder, "read-key"), "a-key\n");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("the rules are good", () => {
    expect(told("check", "rules", "prometheus_rules.yml")).toContain("8 rules found");
  });

  test("each alert fires when it should, and only then", () => {
    expect(told("test", "rules", "prometheus_rules.test.yml")).toContain("SUCCESS");
  });

  test("the tests of the alerts can fail", () => {
    const changed = mkdtempSync(join(folder, "changed-"));
    cpSync(join(folder, "prometheus_rules.test.yml"), join(changed, "prometheus_rules.test.yml"));
    const rules = readFileSync(join(folder, "prometheus_rules.yml"), "utf8");
    writeFileSync(
      join(changed, "prometheus_rules.yml"),
      rules.replace("celsius > 85", "celsius > 86"),
    );
    expect(() => told("test", "rules", join(changed, "prometheus_rules.test.yml"))).toThrow(
      /GpuHot/,
    );
  });

  test.each(["prometheus.yml", "prometheus-cloudflare.yml"])("%s is good", (file) => {
    expect(told("check", "config", file)).toContain("is valid prometheus config");
  });

  test("every query of the dashboard is PromQL, with types that fit", () => {
    const rules = dashboardQueries().map(({ expr }, index) => ({
      record: `query:${index}`,
      expr: filledIn(expr),
    }));
    writeFileSync(
      join(folder, "queries.yml"),
      stringify({ groups: [{ name: "dashboard", rules }] }),
    );
    expect(told("check", "rules", "queries.yml")).toContain(`${rules.length} rules found`);
  });

  test("of all the metrics it dislikes only the unit of the mandated name", () => {
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

/** @throws with what promtool said, when it did not like something. */
function told(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`promtool ${args.join(" ")} (${status}): ${stdout}${stderr}`);
  return stdout;
}
