/**
 * Samples of GPUs and machines as metrics with the times of their readings, under the names of the
 * semantic conventions for hardware and systems where these have one. Pure.
 */
import type { StoredSystemSample } from "../../../protocol/columns.ts";
import type { GpuRow } from "../rows.ts";
import type { Attributes } from "./data.ts";
import {
  hasPoints,
  type NumberType,
  numberMetric,
  numberPoint,
  type OtlpMetric,
} from "./metric.ts";

type Reading<Row> = {
  name: string;
  description: string;
  unit: string;
  type: NumberType;
  value: (row: Row) => number | null;
  attributes?: (row: Row) => Attributes;
};

const BYTES_PER_MB = 2 ** 20;
const HZ_PER_MHZ = 1e6;

const scaled = (value: number | null, factor: number): number | null =>
  value === null ? null : value * factor;
const share = (part: number | null, whole: number | null): number | null =>
  part === null || whole === null || whole === 0 ? null : part / whole;

const gpuId = ({ uuid, index }: GpuRow): string => uuid ?? String(index);
/** A part of a GPU is a component of its own. */
const partOf = (type: string) => (row: GpuRow) => ({
  "hw.id": `${gpuId(row)}/${type}`,
  "hw.type": type,
  "hw.parent": gpuId(row),
});

const GPU: Reading<GpuRow>[] = [
  {
    name: "hw.gpu.utilization",
    description: "Share of the time in which the GPU was busy.",
    unit: "1",
    type: "gauge",
    value: ({ utilization_percent }) => share(utilization_percent, 100),
  },
  {
    name: "hw.gpu.memory.usage",
    description: "Used memory of the GPU.",
    unit: "By",
    type: "amount",
    value: ({ memory_used_mb }) => scaled(memory_used_mb, BYTES_PER_MB),
  },
  {
    name: "hw.gpu.memory.limit",
    description: "Memory of the GPU.",
    unit: "By",
    type: "amount",
    value: ({ memory_total_mb }) => scaled(memory_total_mb, BYTES_PER_MB),
  },
  {
    name: "hw.gpu.memory.utilization",
    description: "Used share of the memory of the GPU.",
    unit: "1",
    type: "gauge",
    value: ({ memory_used_mb, memory_total_mb }) => share(memory_used_mb, memory_total_mb),
  },
  {
    name: "hw.power",
    description: "Power that the GPU draws.",
    unit: "W",
    type: "gauge",
    value: ({ power_draw_w }) => power_draw_w,
  },
  {
    name: "hw.temperature",
    description: "Temperature of the GPU.",
    unit: "Cel",
    type: "gauge",
    value: ({ temperature_c }) => temperature_c,
    attributes: partOf("temperature"),
  },
  {
    name: "hw.fan.speed_ratio",
    description: "Speed of the fan, as a share of its highest.",
    unit: "1",
    type: "gauge",
    value: ({ fan_percent }) => share(fan_percent, 100),
    attributes: partOf("fan"),
  },
  {
    name: "ollama_edge.gpu.power.limit",
    description: "Power limit of the GPU.",
    unit: "W",
    type: "gauge",
    value: ({ power_limit_w }) => power_limit_w,
  },
  {
    name: "ollama_edge.gpu.clock",
    description: "Clock of the GPU.",
    unit: "Hz",
    type: "gauge",
    value: ({ sm_clock_mhz }) => scaled(sm_clock_mhz, HZ_PER_MHZ),
  },
  {
    name: "ollama_edge.gpu.throttled",
    description: "1 while the clock of the GPU is throttled.",
    unit: "1",
    type: "gauge",
    value: ({ throttle_reasons }) =>
      throttle_reasons === null ? null : Number(throttle_reasons !== ""),
  },
];

const MACHINE: Reading<StoredSystemSample>[] = [
  {
    name: "system.cpu.utilization",
    description: "Busy share of all CPUs.",
    unit: "1",
    type: "gauge",
    value: ({ cpu_percent }) => share(cpu_percent, 100),
  },
  {
    name: "system.cpu.logical.count",
    description: "Hardware threads.",
    unit: "{cpu}",
    type: "amount",
    value: ({ cpu_count_logical }) => cpu_count_logical,
  },
  {
    name: "system.memory.usage",
    description: "Memory that no program could get.",
    unit: "By",
    type: "amount",
    value: ({ memory_used_bytes }) => memory_used_bytes,
    attributes: () => ({ "system.memory.state": "used" }),
  },
  {
    name: "system.memory.limit",
    description: "Memory of the machine.",
    unit: "By",
    type: "amount",
    value: ({ memory_total_bytes }) => memory_total_bytes,
  },
  {
    name: "system.filesystem.usage",
    description: "Used bytes of the file system with the models.",
    unit: "By",
    type: "amount",
    value: ({ disk_used_bytes }) => disk_used_bytes,
    attributes: ({ disk_path }) => ({
      "system.filesystem.state": "used",
      "ollama_edge.disk.path": disk_path,
    }),
  },
  {
    name: "system.filesystem.limit",
    description: "Size of the file system with the models.",
    unit: "By",
    type: "amount",
    value: ({ disk_total_bytes }) => disk_total_bytes,
    attributes: ({ disk_path }) => ({ "ollama_edge.disk.path": disk_path }),
  },
  {
    name: "ollama_edge.machine.load",
    description: "Mean number of runnable tasks in the last minute.",
    unit: "{task}",
    type: "gauge",
    value: ({ load_1m }) => load_1m,
  },
  {
    name: "ollama_edge.requests.in_flight",
    description: "Requests open on the agent.",
    unit: "{request}",
    type: "amount",
    value: ({ in_flight }) => in_flight,
  },
  {
    name: "ollama_edge.requests.queued",
    description: "Open requests that Ollama has not begun to answer.",
    unit: "{request}",
    type: "amount",
    value: ({ queued }) => queued,
  },
];

export const gpuMetrics = (rows: readonly GpuRow[]): OtlpMetric[] =>
  metricsOf(GPU, rows, (row) => ({
    "ollama_edge.box": row.box,
    "ollama_edge.gpu.index": String(row.index),
    "ollama_edge.simulated": row.simulated === true ? true : null,
    "hw.id": gpuId(row),
    "hw.type": "gpu",
    "hw.name": row.name,
  }));

export const machineMetrics = (
  rows: readonly StoredSystemSample[],
  simulatedBoxes: ReadonlySet<string>,
): OtlpMetric[] =>
  metricsOf(MACHINE, rows, ({ box }) => ({
    "ollama_edge.box": box,
    "ollama_edge.simulated": simulatedBoxes.has(box) ? true : null,
  }));

/** Makes a point of each known reading. Metrics without one are left out. */
const metricsOf = <Row extends { at: string }>(
  readings: readonly Reading<Row>[],
  rows: readonly Row[],
  common: (row: Row) => Attributes,
): OtlpMetric[] =>
  readings
    .map(({ name, description, unit, type, value, attributes }) => {
      const points = rows.flatMap((row) => {
        const known = value(row);
        return known === null
          ? []
          : [numberPoint({ ...common(row), ...attributes?.(row) }, known, Date.parse(row.at))];
      });
      return numberMetric({ name, description, unit }, type, points);
    })
    .filter(hasPoints);
