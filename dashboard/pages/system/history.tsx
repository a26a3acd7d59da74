/** The history of the machines and of each GPU, for all boxes or one. */
import { useMemo } from "preact/hooks";
import type { SystemPoint } from "../../../protocol/api/system.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { Chart } from "../../parts/chart.tsx";
import { gib, ofHundred, short, temperature, watts } from "../../shape/format.ts";
import { type GpuFigure, gpuLines } from "../../shape/gpu-history.ts";
import { bucketNote, drawnBuckets, type Line, startsOf } from "../../shape/history.ts";

const EDGE_RANGES = ["5m", "15m", "1h", "6h", "24h"] as const;
/** Only an external store keeps samples longer than a day. */
const RANGES = [...EDGE_RANGES, "7d", "30d"] as const;
const EVERY_MS = 10_000;
/** Slower if an external store is queried, because a serverless one may have to wake up first. */
const STORE_EVERY_MS = 60_000;

export function MachineHistory({ box, hasStore }: { box: string; hasStore: boolean }) {
  const range = RANGES.find((each) => each === place.value.query.range) ?? "15m";
  const { sizes, temperature: unit } = preferences.value;
  const query = { time_range: range, max_points: 240, box };
  const everyMs = EDGE_RANGES.some((each) => each === range) ? EVERY_MS : STORE_EVERY_MS;
  const machines = useQuery("/api/system/history", { query }, everyMs);
  const gpus = useQuery("/api/gpu/history", { query }, everyMs);

  const ofMachines = useMemo(() => {
    const points = machines.data?.data ?? [];
    const starts = startsOf(points.map(({ timestamp }) => timestamp));
    const { count, isUnfinished } = drawnBuckets(starts, Date.now());
    return { isUnfinished, at: starts.slice(0, count), ...linesOf(points.slice(0, count)) };
  }, [machines.data]);
  const ofGpus = useMemo(() => {
    const starts = startsOf(gpus.data?.timestamps ?? []);
    const { count, isUnfinished } = drawnBuckets(starts, Date.now());
    const of = (figure: GpuFigure) => gpuLines(gpus.data?.gpus ?? [], figure, count);
    return {
      isUnfinished,
      at: starts.slice(0, count),
      load: of("utilization_percent"),
      memory: of("memory_used_mb"),
      heat: of("temperature_c"),
      power: of("power_draw_w"),
    };
  }, [gpus.data]);

  const options = (hasStore ? RANGES : EDGE_RANGES).map((value) => ({ value, name: value }));
  const error = machines.error ?? gpus.error;
  const retry = () => {
    machines.refetch();
    gpus.refetch();
  };
  return (
    <Section
      title="History"
      aside={
        <Choice
          label="History range"
          options={options}
          chosen={range}
          choose={(chosen) => replaceQuery("system", { ...place.value.query, range: chosen })}
        />
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the history." detail={error} retry={retry} />
      )}
      {machines.data === null || gpus.data === null ? (
        error === null && <Skeleton lines={2} tall />
      ) : (
        <div class={machines.isLoading ? "charts loading" : "charts"}>
          <Chart
            {...bucketsOf(ofGpus)}
            title="GPU utilization"
            top={100}
            format={ofHundred}
            lines={ofGpus.load}
          />
          <Chart
            {...bucketsOf(ofGpus)}
            title="VRAM"
            format={(value) => gib(value, sizes)}
            lines={ofGpus.memory}
          />
          <Chart
            {...bucketsOf(ofGpus)}
            title="GPU temperature"
            format={(value) => temperature(value, unit)}
            lines={ofGpus.heat}
          />
          <Chart {...bucketsOf(ofGpus)} title="GPU power" format={watts} lines={ofGpus.power} />
          <Chart
            {...bucketsOf(ofMachines)}
            title="CPU"
            top={100}
            format={ofHundred}
            isArea
            lines={ofMachines.cpu}
          />
          <Chart
            {...bucketsOf(ofMachines)}
            title="Memory"
            format={(value) => gib(value, sizes)}
            isArea
            lines={ofMachines.memory}
          />
          <Chart
            {...bucketsOf(ofMachines)}
            title="Requests"
            format={short}
            lines={ofMachines.queue}
          />
        </div>
      )}
      <p class="footnote">{bucketNote(ofGpus.at, "The cards show the latest readings.")}</p>
    </Section>
  );
}

type Buckets = { at: readonly number[]; isUnfinished: boolean };
const bucketsOf = ({ at, isUnfinished }: Buckets): Buckets => ({ at, isUnfinished });

const linesOf = (points: readonly SystemPoint[]): Record<"cpu" | "memory" | "queue", Line[]> => ({
  cpu: [{ name: "CPU", values: points.map((point) => point.cpu_percent), colour: "one" }],
  memory: [{ name: "Memory", values: points.map((point) => point.memory_used_gb), colour: "two" }],
  queue: [
    {
      name: "In flight",
      values: points.map((point) => point.in_flight),
      colour: "one",
      width: 3.5,
    },
    { name: "Queued", values: points.map((point) => point.queue_depth), colour: "three" },
  ],
});
