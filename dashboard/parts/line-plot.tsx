/**
 * Lines over time in SVG: the values at the pointer, a scale, and a selection by dragging. Charts that
 * share a signal are pointed at together.
 */
import type { Signal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { changeScope, linkTo } from "../data/scope.ts";
import { roundTimes, timeLabels } from "../shape/axis.ts";
import { HEIGHT } from "../shape/drawing.ts";
import { UNKNOWN } from "../shape/format.ts";
import { isUnknown, latestOf, summaryOf } from "../shape/history.ts";
import { linePath, topOf, unfinishedPath } from "../shape/line-path.ts";
import { type Buckets, bucketAt, type HistoryChart } from "../shape/machine-history.ts";
import { brushed } from "../shape/scope.ts";
import { Plot } from "./plot.tsx";

type Props = HistoryChart & {
  /** The moment pointed at in any of the charts, in Unix seconds. */
  moment: Signal<number | null>;
};

/** As many fit on a phone. */
const LABELS_MAX = 5;
/** Part of the width: the middle of a label that is nearer to the end would be cut off. */
const LAST_LABEL = 0.97;
const GRID_PARTS = [1, 0.5, 0];
/** Resizing by less does not draw the lines again. */
const WIDTH_STEP = 64;

export function LinePlot({ title, buckets, lines, format, top, moment }: Props) {
  const { at, stepSeconds, isUnfinished } = buckets;
  const [frame, width] = useWidth();
  const isBlank = useMemo(() => isUnknown(lines.map(({ values }) => values)), [lines]);
  const max = useMemo(() => top ?? topOf(lines.map(({ values }) => values)), [lines, top]);
  const paths = useMemo(
    () =>
      lines
        .toSorted((a, b) => Number(b.isWide ?? false) - Number(a.isWide ?? false))
        .map(({ name, colour, isWide, values }) => ({
          name,
          class: `plot-line ${colour}${isWide ? " wide" : ""}`,
          whole: linePath(isUnfinished ? values.slice(0, -1) : values, max, width),
          end: isUnfinished ? unfinishedPath(values, max) : "",
        })),
    [lines, max, width, isUnfinished],
  );
  const summary = useMemo(() => summaryOf(title, lines, format, isUnfinished), [lines, format]);
  const index = bucketAt(buckets, moment.value);
  const timeOf = (from: number, to: number) =>
    brushed(1_000 * (at[from] ?? 0), 1_000 * ((at[to] ?? 0) + stepSeconds));
  const { places, labels } = useMemo(() => axisOf(buckets), [buckets]);
  return (
    <figure class="panel-chart line-plot">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-moment">
          {index !== null && timeLabels([at[index] ?? 0], Math.min(3_600, stepSeconds))[0]}
        </span>
        <span class="legend">
          {lines.map(({ name, values, colour }) => {
            const value = index === null ? latestOf(values, isUnfinished) : (values[index] ?? null);
            return (
              <span key={name}>
                {lines.length > 1 && <i class={`dot ${colour}`} />}
                {lines.length > 1 && `${name} `}
                <b>{value === null ? UNKNOWN : format(value)}</b>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div class="plot-frame" ref={frame}>
        {isBlank ? (
          <p class="nothing-drawn">No data in this range</p>
        ) : (
          <>
            <div class="axis-y" aria-hidden="true">
              {GRID_PARTS.map((part) => (
                <span key={part}>{format(part * max)}</span>
              ))}
            </div>
            <Plot
              label={summary}
              buckets={at.length}
              marked={index}
              onPoint={(place) => {
                moment.value = place === null ? null : (at[place] ?? null);
              }}
              onPick={(place) => {
                location.hash = linkTo("requests", timeOf(place, place));
              }}
              onBrush={(from, to) => changeScope(timeOf(from, to))}
            >
              <path class="grid" d={gridOf(at.length, places)} />
              {paths.map(({ name, class: kind, whole, end }) => (
                <g key={name}>
                  <path class={kind} d={whole} />
                  {end !== "" && <path class={`${kind} unfinished`} d={end} />}
                </g>
              ))}
            </Plot>
          </>
        )}
      </div>
      <p class="axis-x" aria-hidden="true">
        {!isBlank &&
          places.map((place, n) => (
            <span key={place} style={{ left: `${(100 * place) / at.length}%` }}>
              {labels[n]}
            </span>
          ))}
      </p>
    </figure>
  );
}

/** Returns the labels of the time axis, and their places in buckets. */
function axisOf({ at, stepSeconds }: Buckets): { places: number[]; labels: string[] } {
  const from = at[0] ?? 0;
  const until = from + LAST_LABEL * stepSeconds * at.length;
  const offsetSeconds = -60 * new Date(1_000 * from).getTimezoneOffset();
  const { times, step } = roundTimes(from, until, LABELS_MAX, offsetSeconds);
  return {
    places: times.map((time) => (time - from) / stepSeconds),
    labels: timeLabels(times, step),
  };
}

const gridOf = (width: number, places: readonly number[]): string =>
  `M0 0H${width}M0 ${HEIGHT / 2}H${width}${places.map((x) => `M${x} 0V${HEIGHT}`).join("")}`;

/** Returns the width of an element in CSS pixels, rounded up, once it is known. */
function useWidth() {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(10 * WIDTH_STEP);
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const resized = new ResizeObserver(() =>
      setWidth(WIDTH_STEP * Math.max(1, Math.ceil(element.clientWidth / WIDTH_STEP))),
    );
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  return [frame, width] as const;
}
