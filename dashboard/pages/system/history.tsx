/** The machines over time, of all boxes or of one; the figures of GPUs also one by one. */
import { useMemo } from "preact/hooks";
import { place, stay } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useRead } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { Chart } from "../../parts/chart.tsx";
import { gib, ofHundred, short, temperature, watts } from "../../shape/format.ts";
import { type GpuFigure, gpuLines } from "../../shape/gpu-history.ts";
import type { Line } from "../../shape/history.ts";

const HERE = ["5m", "15m", "1h", "6h", "24h"] as const;
/** Samples that only a store keeps so long. */
const RANGES = [...HERE, "7d", "30d"] as const;
const EVERY_MS = 10_000;
/** Where a store is asked, which may have gone to sleep. */
const STORE_EVERY_MS = 60_000;

export function MachineHistory({ box, hasStore }: { box: string; hasStore: boolean }) {
  const range = RANGES.find((each) => each === place.value.query.range) ?? "15m";
  const { sizes, temperature: unit } = preferences.value;
  const query = { time_range: range, max_points: 240, box };
  const everyMs = HERE.some((each) => each === range) ? EVERY_MS : STORE_EVERY_MS;
  const machines = useRead("/api/system/history", { query }, everyMs);
  const gpus = useRead("/api/gpu/history", { query }, everyMs);

  const at = useMemo(
    () => machines.data?.data.map(({ timestamp }) => Date.parse(timestamp) / 1_000) ?? [],
    [machines.data],
  );
  const gpuAt = useMemo(
    () => gpus.data?.timestamps.map((timestamp) => Date.parse(timestamp) / 1_000) ?? [],
    [gpus.data],
  );
  const lines = useMemo((): Record<"cpu" | "memory" | "queue", Line[]> => {
    const points = machines.data?.data ?? [];
    return {
      cpu: [{ name: "CPU", values: points.map((point) => point.cpu_percent), colour: "one" }],
      memory: [
        { name: "memory", values: points.map((point) => point.memory_used_gb), colour: "two" },
      ],
      queue: [
        { name: "in flight", values: points.map((point) => point.in_flight), colour: "one" },
        { name: "queued", values: points.map((point) => point.queue_depth), colour: "three" },
      ],
    };
  }, [machines.data]);
  const perGpu = useMemo(() => {
    const of = (figure: GpuFigure) => gpuLines(gpus.data?.gpus ?? [], figure);
    return {
      load: of("utilization_percent"),
      memory: of("memory_used_mb"),
      heat: of("temperature_c"),
      power: of("power_draw_w"),
    };
  }, [gpus.data]);

  const options = (hasStore ? RANGES : HERE).map((value) => ({ value, name: value }));
  const error = machines.error ?? gpus.error;
  const again = () => {
    machines.refetch();
    gpus.refetch();
  };
  return (
    <Section
      title="History"
      aside={
        <Choice
          label="Range of the history"
          options={options}
          chosen={range}
          choose={(chosen) => stay("system", { box, range: chosen })}
        />
      }
    >
      {error !== null && (
        <FailureNote what="The history could not be read." why={error} again={again} />
      )}
      {machines.data === null || gpus.data === null ? (
        error === null && <Skeleton lines={2} tall />
      ) : (
        <div class={machines.isLoading ? "charts loading" : "charts"}>
          <Chart
            title="GPU utilization"
            at={gpuAt}
            top={100}
            format={ofHundred}
            lines={perGpu.load}
          />
          <Chart
            title="VRAM"
            at={gpuAt}
            format={(value) => gib(value, sizes)}
            lines={perGpu.memory}
          />
          <Chart
            title="GPU temperature"
            at={gpuAt}
            format={(value) => temperature(value, unit)}
            lines={perGpu.heat}
          />
          <Chart title="GPU power" at={gpuAt} format={watts} lines={perGpu.power} />
          <Chart title="CPU" at={at} top={100} format={ofHundred} isArea lines={lines.cpu} />
          <Chart
            title="Memory"
            at={at}
            format={(value) => gib(value, sizes)}
            isArea
            lines={lines.memory}
          />
          <Chart
            title="Requests"
            at={at}
            format={short}
            lines={lines.queue}
            nothing="No request in this range"
          />
        </div>
      )}
    </Section>
  );
}
