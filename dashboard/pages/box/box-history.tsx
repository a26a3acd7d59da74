/** The GPUs and the machine of a box over time. */
import { useMemo } from "preact/hooks";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { LinePlot } from "../../parts/line-plot.tsx";
import { gib, ofHundred, short, temperature, watts } from "../../shape/format.ts";
import { type GpuFigure, gpuLines } from "../../shape/gpu-history.ts";
import { drawnBuckets, type Line, startsOf } from "../../shape/history.ts";

const RANGES = ["5m", "15m", "1h", "6h", "24h"] as const;
const EVERY_MS = 10_000;
/** A few pixels each. */
const POINTS_MAX = 120;

export function BoxHistory({ box }: { box: string }) {
  const range = RANGES.find((each) => each === place.value.query.range) ?? "1h";
  const { sizes, temperature: unit } = preferences.value;
  const query = { time_range: range, max_points: POINTS_MAX, box };
  const gpus = useQuery("/api/gpu/history", { query }, EVERY_MS);
  const machine = useQuery("/api/system/history", { query }, EVERY_MS);
  const drawn = useMemo(() => {
    const starts = startsOf(gpus.data?.timestamps ?? []);
    const { count } = drawnBuckets(starts, Date.now());
    const of = (figure: GpuFigure) =>
      gpuLines(gpus.data?.gpus ?? [], figure, count).map((line, index) => ({
        ...line,
        name: `GPU ${gpus.data?.gpus[index]?.index ?? index}`,
      }));
    return {
      at: starts.slice(0, count),
      load: of("utilization_percent"),
      memory: of("memory_used_mb"),
      heat: of("temperature_c"),
      power: of("power_draw_w"),
    };
  }, [gpus.data]);
  const system = useMemo(() => {
    const points = machine.data?.data ?? [];
    const starts = startsOf(points.map(({ timestamp }) => timestamp));
    const { count } = drawnBuckets(starts, Date.now());
    const line = (name: string, colour: Line["colour"], values: Line["values"]): Line => ({
      ...{ name, colour },
      values: values.slice(0, count),
    });
    return {
      at: starts.slice(0, count),
      cpu: [
        line(
          "CPU",
          "one",
          points.map(({ cpu_percent }) => cpu_percent),
        ),
      ],
      work: [
        line(
          "In flight",
          "one",
          points.map(({ in_flight }) => in_flight),
        ),
        line(
          "Queued",
          "three",
          points.map(({ queue_depth }) => queue_depth),
        ),
      ],
    };
  }, [machine.data]);
  const error = gpus.error ?? machine.error;
  const retry = () => {
    gpus.refetch();
    machine.refetch();
  };
  const { at } = drawn;
  return (
    <Section
      title="History"
      aside={
        <Choice
          label="History range"
          options={RANGES.map((value) => ({ value, name: value }))}
          chosen={range}
          choose={(chosen) => replaceQuery("box", { ...place.value.query, range: chosen })}
        />
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the history." detail={error} retry={retry} />
      )}
      {gpus.data === null || machine.data === null ? (
        error === null && <Skeleton lines={2} tall />
      ) : (
        <div class={gpus.isLoading ? "line-plots loading" : "line-plots"}>
          <LinePlot
            {...{ at, top: 100, format: ofHundred }}
            title="GPU utilization"
            lines={drawn.load}
          />
          <LinePlot
            at={at}
            format={(value) => gib(value, sizes)}
            title="VRAM"
            lines={drawn.memory}
          />
          <LinePlot {...{ at, format: watts }} title="GPU power" lines={drawn.power} />
          <LinePlot
            at={at}
            format={(value) => temperature(value, unit)}
            title="GPU temperature"
            lines={drawn.heat}
          />
          <LinePlot
            {...{ at: system.at, top: 100, format: ofHundred }}
            title="CPU"
            lines={system.cpu}
          />
          <LinePlot {...{ at: system.at, format: short }} title="Requests" lines={system.work} />
        </div>
      )}
    </Section>
  );
}
