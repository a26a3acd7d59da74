/** Requests over time by model, box or key, with the events of the boxes. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Activity, ActivityGroup, ActivitySplit } from "../../../protocol/api/activity.ts";
import type { Events } from "../../../protocol/api/events.ts";
import { groupClass } from "../../data/model-colour.ts";
import { changeScope, scope } from "../../data/scope.ts";
import { Choice } from "../../parts/basics.tsx";
import { Plot } from "../../parts/plot.tsx";
import { alignedPoints } from "../../shape/activity.ts";
import { timeLabels } from "../../shape/axis.ts";
import { groupAt, HEIGHT, partsOf, pathOfLine, stackOf } from "../../shape/drawing.ts";
import { compact, count } from "../../shape/format.ts";
import { EventPins } from "./event-pins.tsx";
import { bucketLink, chooseSplit, chosenSplit, selectBuckets, startOf } from "./period.tsx";

type Props = {
  activity: Activity;
  /** The period that it is compared with; null without one. */
  before: Activity | null;
  events: Events["events"];
};

const SPLITS = [
  { value: "model", name: "Model" },
  { value: "box", name: "Box" },
  { value: "key", name: "Key" },
] as const;
const NO_GROUP: Record<ActivitySplit, string> = {
  model: "without a model",
  box: "reached no box",
  key: "without a key",
};

export function Traffic({ activity, before, events }: Props) {
  const pointed = useSignal<number | null>(null);
  const { points } = activity;
  const split = chosenSplit();
  const groups = useMemo(() => activity.groups[split] ?? [allOf(activity)], [activity, split]);
  const nameOf = ({ group, name, is_rest }: ActivityGroup): string =>
    is_rest ? "others" : (name ?? group ?? NO_GROUP[split]);
  const earlier = useMemo(
    () => alignedPoints(activity, before).map((point) => point?.requests ?? null),
    [activity, before],
  );
  const mostEarlier = Math.max(0, ...earlier.map((requests) => requests ?? 0));
  const { paths, max } = useMemo(
    () => stackOf(groups, points.length, mostEarlier),
    [groups, mostEarlier],
  );
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
            : `${momentOf(activity, index ?? 0)}: ${count(shown.requests)}, ${count(shown.errors)} failed${beforeText(earlier[index ?? 0])}`}
        </span>
        <Choice label="Requests by" options={SPLITS} chosen={split} choose={chooseSplit} />
        <span class="legend">
          {groups.map((group) => (
            <LegendEntry
              key={nameOf(group)}
              group={group}
              name={nameOf(group)}
              colour={groupClass(split, group.group, groups.indexOf(group))}
              split={split}
              index={index}
            />
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
          label={summaryOfTraffic(
            activity,
            groups.map((group) => `${nameOf(group)} ${group.total}`),
          )}
          buckets={points.length}
          onPoint={(at) => {
            pointed.value = at;
          }}
          onBrush={(from, to) => selectBuckets(activity, from, to)}
          onPick={(at, height) => {
            const group = groupAt(groups, at, height, max)?.group ?? null;
            location.hash = bucketLink(activity, at, group === null ? {} : { [split]: group });
          }}
        >
          {paths.map((path, n) => (
            <path
              key={nameOf(groups[n] as ActivityGroup)}
              class={groupClass(split, groups[n]?.group ?? null, n)}
              d={path}
            />
          ))}
          {before !== null && <path class="before" d={pathOfLine(partsOf(earlier, max))} />}
          <path class="failures" d={failed} />
        </Plot>
        <EventPins activity={activity} events={events} />
      </div>
      <TimeAxis activity={activity} />
    </figure>
  );
}

const beforeText = (requests: number | null | undefined): string =>
  requests == null ? "" : `; ${count(requests)} in the period before`;

type LegendProps = {
  group: ActivityGroup;
  name: string;
  colour: string;
  split: ActivitySplit;
  /** The bucket under the pointer. */
  index: number | null;
};

function LegendEntry({ group, name, colour, split, index }: LegendProps) {
  const text = (
    <>
      <i class={`dot ${colour}`} />
      {name} <b>{compact(index === null ? group.total : (group.requests[index] ?? 0))}</b>
    </>
  );
  if (group.group === null) return <span class="legend-entry">{text}</span>;
  const isChosen = scope.value[split] === group.group;
  return (
    <button
      type="button"
      class="legend-button"
      aria-pressed={isChosen}
      onClick={() => changeScope({ [split]: isChosen ? null : group.group })}
    >
      {text}
    </button>
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

function summaryOfTraffic({ total, points }: Activity, groups: readonly string[]): string {
  const most = Math.max(0, ...points.map(({ requests }) => requests));
  return `Requests: ${total.requests}, ${total.errors} failed, at most ${most} at once in a bucket; ${groups.join(", ")}`;
}
