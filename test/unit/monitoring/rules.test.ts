import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ALERTS } from "../../../monitoring/alerts.ts";
import { rulesYaml } from "../../../monitoring/rules.ts";
import { CONCERNS } from "../../../protocol/concerns.ts";
import { alertRules, MONITORING } from "../../support/monitoring-files.ts";

test("the committed rules are what the code generates (otherwise: npm run generate)", () => {
  expect(readFileSync(new URL("prometheus_rules.yml", MONITORING), "utf8")).toBe(rulesYaml());
});

test("reading the YAML returns every alert as it is written in the code", () => {
  expect(alertRules()).toEqual(
    Object.entries(ALERTS).map(([alert, { expr, for: wait, severity, summary, description }]) => ({
      alert,
      expr: expr.join(" "),
      for: wait,
      labels: { severity, service: "ollama" },
      annotations: { summary, description: description.join(" ") },
    })),
  );
});

test("an alert is as severe as the concern and the threshold that it uses", () => {
  for (const { alert, severity } of Object.values(CONCERNS)) {
    if (alert === null) continue;
    const own = typeof severity === "string" ? [severity] : Object.keys(severity.above);
    // Without a threshold in the definition, each owner sets its own: the alert is for the lowest.
    const severities: string[] = own.length === 0 ? ["warning"] : own;
    // A store that fails is critical for the records that arrive now, but the alert covers slow ones too.
    if (alert !== "SinkBehind") expect(severities, alert).toContain(ALERTS[alert].severity);
  }
});
