/** What needs somebody now. Each number has the colour of what it asks for, and words where nothing is known. */
import { Celsius, PercentUnit, Short } from "@grafana/grafana-foundation-sdk/units";
import { QUARTER, type Row, stat } from "../panels.ts";
import { BOX } from "../queries.ts";

export const attention: Row = {
  title: "Needs attention",
  panels: [
    stat({
      title: "Alerts",
      description: "Alerts of prometheus_rules.yml that fire, or will if it goes on. All boxes.",
      expr: 'ALERTS{service="ollama"}',
      names: "{{alertname}} {{box}} {{sink}} {{model}} ({{alertstate}})",
      unit: Short,
      redFrom: 1,
      noValue: "none",
      width: QUARTER,
    }),
    stat({
      title: "Boxes down",
      description: "Boxes whose agent is not connected: nothing on them can be called.",
      expr: `sum(ollama_box_up{${BOX}} == bool 0)`,
      unit: Short,
      redFrom: 1,
      noValue: "no box",
      width: 3,
    }),
    stat({
      title: "Simulated boxes",
      description: "Boxes whose numbers are made up.",
      expr: `sum(ollama_box_simulated{${BOX}})`,
      unit: Short,
      orangeFrom: 1,
      noValue: "no box",
      width: 3,
    }),
    stat({
      title: "Error rate",
      description: "Errors of the last 5 minutes, as part of the requests. All boxes and models.",
      expr: "sum(rate(ollama_errors_total[5m])) / (sum(rate(ollama_requests_total[5m])) > 0)",
      unit: PercentUnit,
      orangeFrom: 0.01,
      redFrom: 0.1,
      noValue: "no traffic",
      width: 3,
    }),
    stat({
      title: "Models on CPU",
      description: "Loaded models of which a part, or all, is not on the GPU: they are slow.",
      expr: `sum(ollama_loaded_model_vram_bytes{${BOX}} < bool ollama_loaded_model_bytes{${BOX}})`,
      unit: Short,
      redFrom: 1,
      noValue: "none loaded",
      width: 3,
    }),
    stat({
      title: "Hottest GPU",
      description: "Above about 85 °C a GPU lowers its clocks.",
      expr: `max(ollama_gpu_temperature_celsius{${BOX}})`,
      unit: Celsius,
      orangeFrom: 80,
      redFrom: 86,
      noValue: "no GPU",
      width: 2,
    }),
    stat({
      title: "Store backlog",
      description:
        "Finished requests that wait for ClickHouse or Postgres. They are kept until it takes them.",
      expr: "sum(ollama_sink_backlog_records)",
      unit: Short,
      orangeFrom: 1_000,
      redFrom: 10_000,
      noValue: "no store",
      width: 2,
    }),
    stat({
      title: "In spools",
      description: "Finished requests that wait on the boxes until the Worker has counted them.",
      expr: `sum(ollama_agent_spooled_records{${BOX}})`,
      unit: Short,
      orangeFrom: 1_000,
      noValue: "no box up",
      width: 2,
    }),
  ],
};
