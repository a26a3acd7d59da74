/** The history of the machines and of each GPU, for all boxes or one. */
import { useMemo } from "preact/hooks";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { Chart } from "../../parts/chart.tsx";
import { gib, ofHundred, short, temperature, watts } from "../../shape/format.ts";
import { type GpuFigure, gpuLines } from "../../shape/gpu-history.ts";
import type { Line } from "../../shape/history.ts";

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
        { name: "Memory", values: points.map((point) => point.memory_used_gb), colour: "two" },
      ],
      queue: [
        { name: "In flight", values: points.map((point) => point.in_flight), colour: "one" },
        { name: "Queued", values: points.map((point) => point.queue_depth), colour: "three" },
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
          choose={(chosen) => replaceQuery("system", { box, range: chosen })}
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
            nothing="No requests in this range"
          />
        </div>
      )}
    </Section>
  );
}
