/** Requests over time by model, with the events of the boxes. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Activity, ActivityGroup } from "../../../protocol/api/activity.ts";
import type { Events } from "../../../protocol/api/events.ts";
import { modelClass } from "../../data/model-colour.ts";
import { changeScope, scope } from "../../data/scope.ts";
import { Plot } from "../../parts/plot.tsx";
import { timeLabels } from "../../shape/axis.ts";
import { groupAt, HEIGHT, stackOf } from "../../shape/drawing.ts";
import { compact, count } from "../../shape/format.ts";
import { bucketLink, selectBuckets, startOf } from "./period.tsx";

type Props = { activity: Activity; events: Events["events"] };

const nameOf = ({ group, is_rest }: ActivityGroup): string =>
  is_rest ? "others" : (group ?? "without a model");

export function Traffic({ activity, events }: Props) {
  const pointed = useSignal<number | null>(null);
  const { points } = activity;
  const groups = useMemo(() => activity.groups.model ?? [allOf(activity)], [activity]);
  const { paths, max } = useMemo(() => stackOf(groups, points.length), [groups]);
  const failed = useMemo(() => failures(activity), [activity]);
  const index = pointed.value;
  const shown = index === null ? null : (points[index] ?? null);
  return (
    <figure class="panel-chart">
      <figcaption>
        <span class="chart-title">Requests</span>
        <span class="chart-moment">
          {shown === null
            ? `per ${stepName(activity.step_seconds)}`
            : `${momentOf(activity, index ?? 0)}: ${count(shown.requests)}, ${count(shown.errors)} failed`}
        </span>
        <span class="legend">
          {groups.map((group) => (
            <LegendEntry key={nameOf(group)} group={group} index={index} />
          ))}
        </span>
      </figcaption>
      <div class="plot-frame">
        <span class="axis-y" aria-hidden="true">
          {[max, max / 2, 0].map((value) => (
            <span key={value}>{compact(value)}</span>
          ))}
        </span>
        <Plot
          label={summaryOfTraffic(activity)}
          buckets={points.length}
          onPoint={(at) => {
            pointed.value = at;
          }}
          onBrush={(from, to) => selectBuckets(activity, from, to)}
          onPick={(at, height) => {
            const group = groupAt(groups, at, height, max)?.group ?? null;
            location.hash = bucketLink(activity, at, group === null ? {} : { model: group });
          }}
        >
          {paths.map((path, n) => (
            <path
              key={nameOf(groups[n] as ActivityGroup)}
              class={modelClass(groups[n]?.group ?? null)}
              d={path}
            />
          ))}
          <path class="failures" d={failed} />
        </Plot>
        <Pins activity={activity} events={events} />
      </div>
      <TimeAxis activity={activity} />
    </figure>
  );
}

function LegendEntry({ group, index }: { group: ActivityGroup; index: number | null }) {
  const text = (
    <>
      <i class={`dot ${modelClass(group.group)}`} />
      {nameOf(group)} <b>{compact(index === null ? group.total : (group.requests[index] ?? 0))}</b>
    </>
  );
  const { group: model } = group;
  if (model === null) return <span>{text}</span>;
  const isChosen = scope.value.model === model;
  return (
    <button
      type="button"
      class="legend-button"
      aria-pressed={isChosen}
      onClick={() => changeScope({ model: isChosen ? null : model })}
    >
      {text}
    </button>
  );
}

/** Events above the bars. */
function Pins({ activity, events }: Props) {
  const fromMs = Date.parse(activity.from);
  const span = Date.parse(activity.to) - fromMs;
  return (
    <ul class="pins" aria-label="Events">
      {events.map(({ id, at, text, severity }) => {
        const part = (Date.parse(at) - fromMs) / span;
        return part < 0 || part > 1 ? null : (
          <li
            key={id}
            class={severity === "critical" ? "pin bad" : "pin"}
            style={{ left: `${100 * part}%` }}
            title={`${timeLabels([Date.parse(at) / 1_000], 1)[0]} ${text}`}
          >
            <span class="sr-only">{text}</span>
          </li>
        );
      })}
    </ul>
  );
}

export function TimeAxis({ activity }: { activity: Activity }) {
  const { points, step_seconds } = activity;
  const every = Math.max(1, Math.ceil(points.length / 5));
  const marks = points.map((_, index) => index).filter((index) => index % every === 0);
  const labels = timeLabels(
    marks.map((index) => startOf(activity, index) / 1_000),
    step_seconds * every,
  );
  return (
    <p class="axis-x" aria-hidden="true">
      {marks.map((index, n) => (
        <span key={index} style={{ left: `${(100 * index) / points.length}%` }}>
          {labels[n]}
        </span>
      ))}
    </p>
  );
}

/** Small marks below the buckets in which requests failed. */
const failures = ({ points }: Activity): string =>
  points
    .map(({ errors }, index) =>
      errors > 0 ? `M${index + 0.08} ${HEIGHT - 2.5}h0.84v2.5h-0.84z` : "",
    )
    .join("");

/** From an external store there are no groups. */
const allOf = ({ points, total }: Activity): ActivityGroup => ({
  group: null,
  is_rest: true,
  name: null,
  requests: points.map(({ requests }) => requests),
  total: total.requests,
  errors: total.errors,
  tokens: total.tokens,
  tokens_per_second: total.tokens_per_second,
  ttft_p95_ms: total.ttft_p95_ms,
  energy_j: null,
  cost_per_million_output: null,
});

export const momentOf = (activity: Activity, index: number): string =>
  timeLabels([startOf(activity, index) / 1_000], Math.min(3_600, activity.step_seconds))[0] ?? "";

const STEP_NAMES: Record<number, string> = {
  60: "minute",
  3600: "hour",
  86400: "day",
  604800: "week",
};
const stepName = (seconds: number): string =>
  STEP_NAMES[seconds] ??
  (seconds < 60
    ? `${seconds} s`
    : seconds < 3_600
      ? `${seconds / 60} min`
      : `${seconds / 3_600} h`);

function summaryOfTraffic({ total, points, groups }: Activity): string {
  const most = Math.max(0, ...points.map(({ requests }) => requests));
  const models = (groups.model ?? []).map((group) => `${nameOf(group)} ${group.total}`).join(", ");
  return `Requests: ${total.requests}, ${total.errors} failed, at most ${most} at once in a bucket${models && `; ${models}`}`;
}
