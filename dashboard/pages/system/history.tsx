/** The history of the machines and of each GPU, for all boxes or one, at the time of the scope. */
import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import type { SystemPoint } from "../../../protocol/api/system.ts";
import { minuteMs } from "../../data/clock.ts";
import { live } from "../../data/live.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { changeScope, scope } from "../../data/scope.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { LinePlot } from "../../parts/line-plot.tsx";
import { gib, ofHundred, short, temperature, watts } from "../../shape/format.ts";
import { type GpuFigure, gpuLines } from "../../shape/gpu-history.ts";
import {
  bucketNote,
  hasHistory,
  type Line,
  RANGE_NAMES,
  rangeOfScope,
  secondsOfRange,
  startsOf,
} from "../../shape/history.ts";
import {
  bucketsOf,
  cutOf,
  EDGE_RANGES,
  HISTORY_RANGES,
  type HistoryChart,
  type HistoryRange,
  type HistorySpan,
  historySpan,
} from "../../shape/machine-history.ts";
import { EVERYTHING } from "../../shape/scope.ts";
import { HistoryTable } from "./history-table.tsx";

const EVERY_MS = 10_000;
/** Slower if an external store is queried, because a serverless one may have to wake up first. */
const STORE_EVERY_MS = 60_000;
/** A few pixels each. A part of a range is drawn from finer buckets. */
const POINTS_WHOLE = 240;
const POINTS_MAX = 500;

/** @param box  "" shows all */
export function MachineHistory({ box }: { box: string }) {
  const moment = useSignal<number | null>(null);
  const { sizes, temperature: unit, range: usual } = preferences.value;
  const hasStore = hasHistory(live.value?.value.health.sinks ?? []);
  const ranges: readonly HistoryRange[] = hasStore ? HISTORY_RANGES : EDGE_RANGES;
  const span = useMemo(
    () => historySpan(scope.value, ranges, secondsOfRange(usual), Date.now()),
    [scope.value, hasStore, usual, minuteMs.value],
  );
  const { range, isWhole, isCut, period } = span;
  const max_points = isWhole ? POINTS_WHOLE : POINTS_MAX;
  const query = { time_range: range, max_points, box };
  const paceMs = EDGE_RANGES.some((each) => each === range) ? EVERY_MS : STORE_EVERY_MS;
  // The past does not change.
  const everyMs = scope.value.untilMs !== null && period.untilMs <= minuteMs.value ? null : paceMs;
  const machines = useQuery("/api/system/history", { query }, everyMs);
  const gpus = useQuery("/api/gpu/history", { query }, everyMs);
  const ofMachinesSpan = useAnswered(span, machines.isLoading);
  const ofGpusSpan = useAnswered(span, gpus.isLoading);

  const ofMachines = useMemo(() => {
    const points = machines.data?.data ?? [];
    const at = startsOf(points.map(({ timestamp }) => timestamp));
    const cut = cutOf(at, ofMachinesSpan, Date.now());
    const buckets = bucketsOf(at, cut);
    return machineCharts(points.slice(cut.from, cut.until)).map(
      (chart): HistoryChart => ({
        ...chart,
        buckets,
        format: chart.title === "Memory" ? (value) => gib(value, sizes) : chart.format,
      }),
    );
  }, [machines.data, ofMachinesSpan, sizes]);
  const ofGpus = useMemo(() => {
    const at = startsOf(gpus.data?.timestamps ?? []);
    const cut = cutOf(at, ofGpusSpan, Date.now());
    const buckets = bucketsOf(at, cut);
    const chart = (title: string, figure: GpuFigure, format: HistoryChart["format"]) => ({
      title,
      buckets,
      format,
      lines: gpuLines(gpus.data?.gpus ?? [], figure, cut, box !== ""),
    });
    return [
      { ...chart("GPU utilization", "utilization_percent", ofHundred), top: 100 },
      chart("VRAM", "memory_used_mb", (value) => gib(value, sizes)),
      chart("GPU temperature", "temperature_c", (value) => temperature(value, unit)),
      chart("GPU power", "power_draw_w", watts),
    ];
  }, [gpus.data, ofGpusSpan, sizes, unit, box]);

  const charts: readonly HistoryChart[] = [...ofGpus, ...ofMachines];
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
          options={ranges.map((value) => ({ value, name: value }))}
          chosen={rangeOfScope(scope.value, usual) as HistoryRange}
          choose={(chosen) => {
            const { fromMs, untilMs } = EVERYTHING;
            changeScope({ fromMs, untilMs, seconds: secondsOfRange(chosen) });
          }}
        />
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the history." detail={error} retry={retry} />
      )}
      {machines.data === null || gpus.data === null ? (
        error === null && <Skeleton lines={2} tall />
      ) : (
        <>
          <div class={machines.isLoading || gpus.isLoading ? "line-plots loading" : "line-plots"}>
            {charts.map((chart) => (
              <LinePlot key={chart.title} {...chart} moment={moment} />
            ))}
          </div>
          <HistoryTable charts={charts} />
        </>
      )}
      <p class="footnote">
        {bucketNote(ofGpus[0]?.buckets.at ?? [], "The cards show the latest readings.")}
        {isCut &&
          ` Samples are kept for ${RANGE_NAMES[range]}${hasStore ? "" : " by the edge alone"}.`}
      </p>
    </Section>
  );
}

/** Returns the span of the last answer, which is not drawn for another one: it would be drawn twice. */
function useAnswered(span: HistorySpan, isLoading: boolean): HistorySpan {
  const answered = useRef(span);
  if (!isLoading) answered.current = span;
  return answered.current;
}

type MachineChart = Pick<HistoryChart, "title" | "format" | "top"> & { lines: Line[] };

const machineCharts = (points: readonly SystemPoint[]): MachineChart[] => [
  {
    title: "CPU",
    format: ofHundred,
    top: 100,
    lines: [{ name: "CPU", colour: "one", values: points.map(({ cpu_percent }) => cpu_percent) }],
  },
  {
    title: "Memory",
    format: short,
    lines: [
      { name: "Memory", colour: "two", values: points.map(({ memory_used_gb }) => memory_used_gb) },
    ],
  },
  {
    title: "Requests",
    format: short,
    lines: [
      {
        name: "In flight",
        colour: "one",
        isWide: true,
        values: points.map(({ in_flight }) => in_flight),
      },
      {
        name: "Queued",
        colour: "three",
        values: points.map(({ queue_depth }) => queue_depth),
      },
    ],
  },
];
