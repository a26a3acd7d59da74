/**
 * The Grafana dashboard, as code. `npm run dashboard:grafana` writes it to grafana-dashboard.json.
 *
 * It is read from the top: what needs somebody now, then what callers see, then why. The three totals
 * have no labels and are shown as they are; everything by model or box comes from families of its
 * own, so that nothing is counted twice.
 *
 * Written with Grafana's own SDK, which knows the schema and its versions.
 */
import { writeFileSync } from "node:fs";
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DATASOURCE } from "./panels.ts";
import { attention } from "./rows/attention.ts";
import { boxes, gpus } from "./rows/boxes.ts";
import { latency, queueAndLoad, traffic } from "./rows/callers.ts";

/** @returns the text of grafana-dashboard.json */
export function dashboardJson(): string {
  const dashboard = new DashboardBuilder("Ollama Metrics")
    .uid("ollama-edge-serve")
    .description(
      "GPU boxes that run Ollama behind one Cloudflare Worker. Made by monitoring/dashboard.ts of ollama-edge-serve.",
    )
    .tags(["ollama"])
    .timezone("browser")
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(
      new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"),
    )
    .withVariable(choiceOf("box", "ollama_box_up"))
    .withVariable(choiceOf("model", "ollama_model_requests_total"));
  for (const { title, panels } of [attention, traffic, latency, queueAndLoad, gpus, boxes]) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  const built = dashboard.build();
  // The SDK leaves numbers out; a link to one panel needs them.
  const numbered = built.panels?.map((panel, index) => ({ ...panel, id: index + 1 }));
  return `${JSON.stringify({ ...built, panels: numbered }, null, 2)}\n`;
}

/** A choice at the top of the dashboard. "All" is `.*`, which also matches a request that reached no box, or names no model. */
function choiceOf(label: string, metric: string): QueryVariableBuilder {
  return new QueryVariableBuilder(label)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query: `label_values(${metric}, ${label})`, refId: label })
    .definition(`label_values(${metric}, ${label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ selected: true, text: ["All"], value: ["$__all"] });
}

if (import.meta.main)
  writeFileSync(new URL("grafana-dashboard.json", import.meta.url), dashboardJson());
