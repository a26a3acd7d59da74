/** The boxes: their GPUs, CPUs, memory, disks and tunnels. */
import {
  BytesIEC,
  Celsius,
  PercentUnit,
  Seconds,
  Short,
  Watt,
} from "@grafana/grafana-foundation-sdk/units";
import { bands, chart, FULL, HALF, QUARTER, type Row } from "../panels.ts";
import { BOX, MODEL, usedOf } from "../queries.ts";

const GPU = "{{box}} {{gpu}}";

export const gpus: Row = {
  title: "GPUs",
  panels: [
    chart({
      title: "GPU utilization",
      description: "Share of the time that the GPU was busy.",
      queries: [{ expr: `ollama_gpu_utilization_ratio{${BOX}}`, legend: GPU }],
      unit: PercentUnit,
      max: 1,
      width: QUARTER,
    }),
    chart({
      title: "GPU memory",
      description: "Used and total.",
      queries: usedOf("ollama_gpu_memory_used_bytes", "ollama_gpu_memory_total_bytes", GPU),
      unit: BytesIEC,
      width: QUARTER,
    }),
    chart({
      title: "GPU temperature",
      description: "A GPU lowers its clocks above about 85 °C.",
      queries: [{ expr: `ollama_gpu_temperature_celsius{${BOX}}`, legend: GPU }],
      unit: Celsius,
      width: QUARTER,
    }),
    chart({
      title: "GPU power",
      description: "Power draw of the GPU, and its limit.",
      queries: usedOf("ollama_gpu_power_watts", "ollama_gpu_power_limit_watts", GPU, "limit"),
      unit: Watt,
      width: QUARTER,
    }),
    chart({
      title: "Power by model",
      description:
        "Power that the GPUs of a box drew while it had requests, shared among them. Idle power is not included.",
      queries: [
        {
          expr: `sum by (model, box) (rate(ollama_model_energy_joules_total{${MODEL}, ${BOX}}[$__rate_interval]))`,
          legend: "{{model}} {{box}}",
        },
      ],
      unit: Watt,
      isStacked: true,
      width: HALF,
    }),
    chart({
      title: "Power by state",
      description:
        "Mean power of all GPUs of a box: while requests are open, while only a model is in memory, and otherwise.",
      queries: [
        {
          expr: `sum by (box, state) (rate(ollama_gpu_energy_joules_total{${BOX}}[$__rate_interval]))`,
          legend: "{{box}} {{state}}",
        },
      ],
      unit: Watt,
      isStacked: true,
      width: HALF,
    }),
    chart({
      title: "Cost per day, by state",
      description:
        "Cost of the GPUs of a box at the present pace: while requests are open, while only a model is in memory, and otherwise. In the currency of the tariff.",
      queries: [
        {
          expr: `86400 * sum by (box, state, currency) (rate(ollama_box_cost_total{${BOX}}[$__rate_interval]))`,
          legend: "{{box}} {{state}} {{currency}}",
        },
      ],
      unit: Short,
      isStacked: true,
      width: HALF,
    }),
    chart({
      title: "Cost per day, by model",
      description:
        "Cost of the requests of a model and of its part of the unused time in memory, at the present pace.",
      queries: [
        {
          expr: `86400 * sum by (model, box, currency) (rate(ollama_model_cost_total{${MODEL}, ${BOX}}[$__rate_interval]))`,
          legend: "{{model}} {{box}} {{currency}}",
        },
        {
          expr: `86400 * sum by (model, box, currency) (rate(ollama_model_standing_cost_total{${MODEL}, ${BOX}}[$__rate_interval]))`,
          legend: "{{model}} {{box}} unused {{currency}}",
        },
      ],
      unit: Short,
      isStacked: true,
      width: HALF,
    }),
  ],
};

export const boxes: Row = {
  title: "Boxes",
  panels: [
    bands(
      "Connected",
      "Times at which the agent of the box was connected.",
      { expr: `ollama_box_up{${BOX}}`, legend: "{{box}}" },
      QUARTER,
    ),
    chart({
      title: "CPU",
      description: "Share of all cores that was busy.",
      queries: [{ expr: `ollama_box_cpu_ratio{${BOX}}`, legend: "{{box}}" }],
      unit: PercentUnit,
      max: 1,
      width: QUARTER,
    }),
    chart({
      title: "Memory",
      description: "Used and total.",
      queries: usedOf("ollama_box_memory_used_bytes", "ollama_box_memory_total_bytes", "{{box}}"),
      unit: BytesIEC,
      width: QUARTER,
    }),
    chart({
      title: "Disk",
      description: "Used and total, of the file system that holds the models.",
      queries: usedOf("ollama_box_disk_used_bytes", "ollama_box_disk_total_bytes", "{{box}}"),
      unit: BytesIEC,
      width: QUARTER,
    }),
    chart({
      title: "Tunnel round trip",
      description: "Time that a message takes from the box to the edge and back.",
      queries: [{ expr: `ollama_tunnel_round_trip_seconds{${BOX}}`, legend: "{{box}}" }],
      unit: Seconds,
      width: FULL,
    }),
  ],
};
