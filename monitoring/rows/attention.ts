/**
 * Numbers that show at a glance whether somebody must act. Colours use the thresholds of
 * `protocol/concerns.ts`; a panel without data shows text instead of 0.
 */
import { Celsius, PercentUnit, Short } from "@grafana/grafana-foundation-sdk/units";
import { CONCERNS } from "../../protocol/concerns.ts";
import { QUARTER, type Row, stat } from "../panels.ts";
import { BOX } from "../queries.ts";

const { above: ERROR_RATE } = CONCERNS.error_rate_high.severity;
const { above: GPU_C } = CONCERNS.gpu_hot.severity;
const { above: BACKLOG } = CONCERNS.store_behind.severity;
const { above: UNSENT } = CONCERNS.records_unsent.severity;

export const attention: Row = {
  title: "Needs attention",
  panels: [
    stat({
      title: "Alerts",
      description: "Alerts of prometheus_rules.yml that are firing or pending. All boxes.",
      expr: 'ALERTS{service="ollama"}',
      names: "{{alertname}} {{box}} {{sink}} {{model}} ({{alertstate}})",
      unit: Short,
      redFrom: 1,
      noValue: "none",
      width: QUARTER,
    }),
    stat({
      title: "Boxes down",
      description: "Boxes whose agent is not connected, so none of their models can be called.",
      expr: `sum(ollama_box_up{${BOX}} == bool 0)`,
      unit: Short,
      redFrom: 1,
      noValue: "no box",
      width: 3,
    }),
    stat({
      title: "Simulated boxes",
      description: "Boxes that report made-up numbers.",
      expr: `sum(ollama_box_simulated{${BOX}})`,
      unit: Short,
      orangeFrom: 1,
      noValue: "no box",
      width: 3,
    }),
    stat({
      title: "Error rate",
      description: "Share of the requests of the last 5 minutes that failed. All boxes and models.",
      expr: "sum(rate(ollama_errors_total[5m])) / (sum(rate(ollama_requests_total[5m])) > 0)",
      unit: PercentUnit,
      orangeFrom: ERROR_RATE.warning,
      redFrom: ERROR_RATE.critical,
      noValue: "no traffic",
      width: 3,
    }),
    stat({
      title: "Models on CPU",
      description: "Loaded models that run partly or entirely on the CPU, which makes them slow.",
      expr: `sum(ollama_loaded_model_vram_bytes{${BOX}} < bool ollama_loaded_model_bytes{${BOX}})`,
      unit: Short,
      redFrom: 1,
      noValue: "none loaded",
      width: 3,
    }),
    stat({
      title: "Hottest GPU",
      description: "A GPU lowers its clocks above about 85 °C.",
      expr: `max(ollama_gpu_temperature_celsius{${BOX}})`,
      unit: Celsius,
      orangeFrom: GPU_C.warning,
      redFrom: GPU_C.critical,
      noValue: "no GPU",
      width: 2,
    }),
    stat({
      title: "Outbox",
      description:
        "Records that are waiting for ClickHouse or Postgres. They are kept until they are delivered.",
      expr: "sum(ollama_sink_backlog_records)",
      unit: Short,
      redFrom: BACKLOG.warning,
      noValue: "no store",
      width: 2,
    }),
    stat({
      title: "Unsent records",
      description: "Records that are waiting on the boxes until the edge confirms them.",
      expr: `sum(ollama_agent_spooled_records{${BOX}})`,
      unit: Short,
      orangeFrom: UNSENT.warning,
      noValue: "no box up",
      width: 2,
    }),
  ],
};
