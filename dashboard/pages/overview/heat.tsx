/** How long every request took, as a heat map with percentiles: a cold load is a band of its own. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Activity } from "../../../protocol/api/activity.ts";
import { Plot } from "../../parts/plot.tsx";
import { heatOf, percentileLine } from "../../shape/drawing.ts";
import { count, duration } from "../../shape/format.ts";
import { bucketLink, selectBuckets } from "./period.tsx";
import { momentOf, TimeAxis } from "./traffic.tsx";

const LABELS = 5;
const NONE = { bounds_ms: [], counts: [] };

export function Heat({ activity }: { activity: Activity }) {
  const pointed = useSignal<number | null>(null);
  const { points, total } = activity;
  const latencies = activity.latencies ?? NONE;
  const { paths, bands } = useMemo(() => heatOf(latencies), [activity]);
  const lines = useMemo(
    () =>
      (["latency_p50_ms", "latency_p95_ms"] as const).map((name) =>
        percentileLine(
          points.map((point) => point[name]),
          latencies.bounds_ms,
        ),
      ),
    [activity],
  );
  const shown = pointed.value === null ? total : (points[pointed.value] ?? total);
  return (
    <figure class="panel-chart">
      <figcaption>
        <span class="chart-title">How long requests took</span>
        <span class="chart-moment">
          {pointed.value === null ? "" : momentOf(activity, pointed.value)}
        </span>
        <span class="legend">
          <span>
            <i class="dot p50" /> P50 <b>{duration(shown.latency_p50_ms)}</b>
          </span>
          <span>
            <i class="dot p95" /> P95 <b>{duration(shown.latency_p95_ms)}</b>
          </span>
          <span>
            P99 <b>{duration(shown.latency_p99_ms)}</b>
          </span>
        </span>
      </figcaption>
      {bands === 0 ? (
        <p class="plot-frame nothing-drawn">
          {activity.latencies === null
            ? "Only percentiles are known of this period"
            : "No inference requests succeeded in this period"}
        </p>
      ) : (
        <div class="plot-frame">
          <span class="axis-y" aria-hidden="true">
            {marksOf(latencies.bounds_ms).map((ms) => (
              <span key={ms}>{duration(ms)}</span>
            ))}
          </span>
          <Plot
            label={`How long requests took: half at most ${duration(total.latency_p50_ms)}, 95 % at most ${duration(total.latency_p95_ms)}, of ${count(total.requests)}`}
            buckets={points.length}
            onPoint={(at) => {
              pointed.value = at;
            }}
            onBrush={(from, to) => selectBuckets(activity, from, to)}
            onPick={(at) => {
              location.hash = bucketLink(activity, at, {}, { sort: "latency" });
            }}
          >
            {paths.map((path, shade) => (
              <path key={shade} class={`heat shade-${shade + 1}`} d={path} />
            ))}
            <path class="percentile p50" d={lines[0]} />
            <path class="percentile p95" d={lines[1]} />
          </Plot>
        </div>
      )}
      <TimeAxis activity={activity} />
    </figure>
  );
}

/** Evenly spread, the longest first; the axis is logarithmic. */
function marksOf(bounds: readonly number[]): number[] {
  const last = bounds.length - 1;
  const steps = Math.min(LABELS - 1, last);
  return Array.from(
    { length: steps + 1 },
    (_, n) => bounds[Math.round(last - (n * last) / steps)] ?? 0,
  );
}
