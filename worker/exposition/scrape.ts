/**
 * One scrape: the samples of every family, from cells, the registry and the statuses of the boxes.
 */
import type { SinkHealth } from "../../protocol/api/fleet.ts";
import type { Concern } from "../../protocol/concern.ts";
import { ENERGY_STATES, type EnergyState, type GpuEnergy } from "../../protocol/gpu-energy.ts";
import type { LoadedModel, LostGpu } from "../../protocol/inventory.ts";
import type { GpuSample } from "../../protocol/records.ts";
import { isCurrentAgent } from "../answers/agent-build.ts";
import { byModel } from "../answers/stats.ts";
import { type Cell, type KeyedCell, sumOf } from "../counting/cell.ts";
import type { Histogram } from "../counting/histogram.ts";
import { shortName } from "../counting/model-key.ts";
import {
  type BoxStatuses,
  freshGpus,
  freshLoaded,
  freshSystem,
  type RegisteredBox,
  upNames,
} from "../registered-box.ts";
import { type CostScrape, costSamples } from "./cost-metrics.ts";
import { type KeyScrape, keySamples } from "./key-metrics.ts";
import { METRICS, type MetricKey } from "./metrics.ts";
import type { FamilySamples, Sample } from "./text.ts";

export type ScrapeParts = {
  nowMs: number;
  version: string;
  /** The digest of the agent that this edge serves; null if unknown. */
  servedDigest: string | null;
  lifetime: readonly KeyedCell[];
  boxes: readonly RegisteredBox[];
  live: BoxStatuses;
  sinks: readonly SinkHealth[];
  /** Records of agents that were not trusted, by box and reason. */
  untrusted: readonly { box: string; reason: string; records: number }[];
  /** Everything that is wrong now. */
  concerns: readonly Concern[];
} & Pick<CostScrape, "spent" | "versions"> &
  Pick<KeyScrape, "keyCells" | "keys">;

export function scrape({
  nowMs,
  version,
  servedDigest,
  lifetime,
  boxes,
  live,
  sinks,
  untrusted,
  spent,
  versions,
  keyCells,
  keys,
  concerns,
}: ScrapeParts): FamilySamples[] {
  const models = byModel(lifetime);
  const total = (figure: (cell: Cell) => number): number =>
    lifetime.reduce((sum, { cell }) => sum + figure(cell), 0);
  /** One for each model with a value: an empty histogram would be 14 lines without information. */
  const histograms = (pick: (cell: Cell) => Histogram): Sample[] =>
    models
      .map(({ model, cell }) => ({ labels: [model], histogram: pick(cell) }))
      .filter(({ histogram }) => histogram.count > 0);
  const isUp = upNames(live);
  const up = boxes.filter(({ name }) => isUp.has(name));
  const gpus = up.flatMap((box) => freshGpus(box, nowMs));
  const loaded = up.flatMap((box) =>
    [...byName(freshLoaded(box, nowMs))].map(([model, memory]) => ({
      labels: [box.name, model],
      memory,
    })),
  );
  const machines = up.flatMap((box) => {
    const sample = freshSystem(box, nowMs);
    return sample === null ? [] : [{ labels: [box.name], sample }];
  });
  const samples: Record<MetricKey, Sample[]> = {
    requests: [{ labels: [], value: total((cell) => cell.total) }],
    tokens: [{ labels: [], value: total((cell) => cell.completionTokens) }],
    promptTokens: [{ labels: [], value: total((cell) => cell.promptTokens) }],
    errors: [{ labels: [], value: total((cell) => cell.requests.error) }],
    latency: histograms((cell) => cell.latencyMs),
    modelRequests: lifetime.flatMap(({ model, box, cell }) =>
      Object.entries(cell.requests).map(([status, value]) => ({
        labels: [model, box, status],
        value,
      })),
    ),
    modelTokens: lifetime.flatMap(({ model, box, cell }) => [
      { labels: [model, box, "prompt"], value: cell.promptTokens },
      { labels: [model, box, "completion"], value: cell.completionTokens },
    ]),
    modelEnergy: lifetime.flatMap(({ model, box, cell }) =>
      known([model, box], cell.energyRequests === 0 ? null : cell.energyJ),
    ),
    ttft: histograms((cell) => cell.ttftSeconds),
    timePerToken: histograms((cell) => cell.secondsPerToken),
    queueWait: histograms((cell) => cell.queueSeconds),
    load: histograms((cell) => cell.loadSeconds),
    inFlight: live.flatMap(({ name, in_flight }) => known([name], in_flight)),
    queueDepth: live.flatMap(({ name, queue_depth }) => known([name], queue_depth)),
    boxUp: live.map(({ name, up }) => ({ labels: [name], value: Number(up) })),
    boxSimulated: boxes.map(({ name, hello }) => ({
      labels: [name],
      value: Number(hello.simulated),
    })),
    agentCurrent: boxes.map(({ name, hello }) => ({
      labels: [name, hello.agent_version],
      value: Number(isCurrentAgent(hello, servedDigest)),
    })),
    spooled: up.flatMap(({ name, readings }) => known([name], readings?.spooled ?? null)),
    lost: up.flatMap(({ name, readings }) => known([name], readings?.lost ?? null)),
    tunnelRoundTrip: up.flatMap(({ name, readings }) =>
      inSeconds([name], readings?.tunnel_ms ?? null),
    ),
    resumes: byBox(lifetime).map(({ box, cell }) => ({ labels: [box], value: cell.resumes })),
    untrusted: untrusted.map(({ box, reason, records }) => ({
      labels: [box, reason],
      value: records,
    })),
    sinkBacklog: sinks.map(({ sink, backlog }) => ({ labels: [sink], value: backlog })),
    sinkDelivered: sinks.map(({ sink, delivered }) => ({ labels: [sink], value: delivered })),
    sinkDropped: sinks.flatMap(({ sink, dropped, set_aside }) => [
      { labels: [sink, "full"], value: dropped },
      { labels: [sink, "refused"], value: set_aside },
    ]),
    sinkLastSuccess: sinks.flatMap(({ sink, last_success }) =>
      inSeconds([sink], last_success === null ? null : Date.parse(last_success)),
    ),
    loadedModel: loaded.flatMap(({ labels, memory }) => known(labels, memory.size_bytes)),
    loadedModelVram: loaded.flatMap(({ labels, memory }) => known(labels, memory.size_vram_bytes)),
    boxCpu: machines.flatMap(({ labels, sample }) =>
      known(labels, sample.cpu_percent === null ? null : sample.cpu_percent / PERCENT),
    ),
    boxMemoryUsed: machines.flatMap(({ labels, sample }) =>
      known(labels, sample.memory_used_bytes),
    ),
    boxMemoryTotal: machines.flatMap(({ labels, sample }) =>
      known(labels, sample.memory_total_bytes),
    ),
    boxDiskUsed: machines.flatMap(({ labels, sample }) => known(labels, sample.disk_used_bytes)),
    boxDiskTotal: machines.flatMap(({ labels, sample }) => known(labels, sample.disk_total_bytes)),
    gpuUp: up.flatMap((box) => gpuUpOf(box, freshGpus(box, nowMs))),
    gpuUtilization: gpus.flatMap((gpu) => ofGpu(gpu, gpu.utilization_percent, 1, PERCENT)),
    gpuMemoryUsed: gpus.flatMap((gpu) => ofGpu(gpu, gpu.memory_used_mb, BYTES_PER_MIB)),
    gpuMemoryTotal: gpus.flatMap((gpu) => ofGpu(gpu, gpu.memory_total_mb, BYTES_PER_MIB)),
    gpuTemperature: gpus.flatMap((gpu) => ofGpu(gpu, gpu.temperature_c, 1)),
    gpuPower: gpus.flatMap((gpu) => ofGpu(gpu, gpu.power_draw_w, 1)),
    gpuPowerLimit: gpus.flatMap((gpu) => ofGpu(gpu, gpu.power_limit_w, 1)),
    gpuClock: gpus.flatMap((gpu) => ofGpu(gpu, gpu.sm_clock_mhz, HERTZ_PER_MEGAHERTZ)),
    gpuFan: gpus.flatMap((gpu) => ofGpu(gpu, gpu.fan_percent, 1, PERCENT)),
    gpuThrottled: gpus.flatMap(({ box, index, uuid, name, throttle_reasons }) =>
      (throttle_reasons ?? []).map((reason) => ({
        labels: [box, String(index), uuid ?? "", name, reason],
        value: 1,
      })),
    ),
    gpuEnergy: boxes.flatMap((box) => energyOf(box, ({ joules }) => joules)),
    gpuEnergySeconds: boxes.flatMap((box) => energyOf(box, ({ seconds }) => seconds)),
    ...costSamples({ nowMs, lifetime, boxes, spent, versions }),
    ...keySamples({ nowMs, keyCells, keys, versions }),
    concern: concerns.map(concernSample),
    buildInfo: [{ labels: [version], value: 1 }],
  };
  return KEYS.map((key) => ({ family: METRICS[key], samples: samples[key] }));
}

const concernSample = ({ code, severity, subject }: Concern): Sample => ({
  labels: [
    code,
    severity,
    "box" in subject ? subject.box : "",
    "index" in subject ? String(subject.index) : "",
    "model" in subject ? subject.model : "",
    "store" in subject ? subject.store : "",
  ],
  value: 1,
});

/** Sums the cells of each box over all models. Requests that reached no box have no tunnel. */
const byBox = (cells: readonly KeyedCell[]): { box: string; cell: Cell }[] =>
  [...Map.groupBy(cells, ({ box }) => box)]
    .filter(([box]) => box !== "")
    .map(([box, list]) => ({ box, cell: sumOf(list.map(({ cell }) => cell)) }));

/** The keys in the order of the table, which is also the order of the exposition. */
const KEYS = Object.keys(METRICS) as MetricKey[];

const PERCENT = 100;
const BYTES_PER_MIB = 1_048_576;
const HERTZ_PER_MEGAHERTZ = 1e6;

/** Returns no sample for an unknown value: absent, not 0. */
const known = (labels: string[], value: number | null): Sample[] =>
  value === null ? [] : [{ labels, value }];

const inSeconds = (labels: string[], ms: number | null): Sample[] =>
  known(labels, ms === null ? null : ms / 1_000);

/**
 * Keys models by the name that requests count under. Ollama may list one twice, but a series must
 * be unique.
 */
const byName = (loaded: readonly LoadedModel[]): Map<string, LoadedModel> =>
  new Map(loaded.map((model) => [shortName(model.name), model]));

/** Converts a reading to base units. `box`, `gpu`, `uuid` and `name` identify the GPU. */
const ofGpu = (
  { box, index, uuid, name }: GpuSample,
  reading: number | null,
  times: number,
  per = 1,
): Sample[] =>
  known([box, String(index), uuid ?? "", name], reading === null ? null : (reading * times) / per);

/** Counters of a box that is down stay, because they go on when it comes back. */
const energyOf = (
  { name: box, gpu_energy }: RegisteredBox,
  figureOf: (amount: GpuEnergy[EnergyState]) => number,
): Sample[] =>
  gpu_energy.flatMap(({ index, uuid, name, total }) =>
    ENERGY_STATES.map((state) => ({
      labels: [box, String(index), uuid ?? "", name, state],
      value: figureOf(total[state]),
    })),
  );

/**
 * GPUs that are read, and those that should be. After a restart of the agent only the registry
 * knows the latter; without any, one sample without a GPU stands for all.
 */
function gpuUpOf(
  { name: box, readings, gpu_energy }: RegisteredBox,
  read: readonly GpuSample[],
): Sample[] {
  const sampleOf = ({ index, uuid, name }: LostGpu, value: number): Sample => ({
    labels: [box, String(index), uuid ?? "", name],
    value,
  });
  const { failed = false, lost = [] } = readings?.gpu ?? {};
  const isRead = ({ index }: LostGpu) => read.some((gpu) => gpu.index === index);
  const missing = (lost.length > 0 ? lost : failed ? gpu_energy : []).filter((gpu) => !isRead(gpu));
  const samples = [
    ...read.map((gpu) => sampleOf(gpu, 1)),
    ...missing.map((gpu) => sampleOf(gpu, 0)),
  ];
  return samples.length === 0 && failed ? [{ labels: [box, "", "", ""], value: 0 }] : samples;
}
