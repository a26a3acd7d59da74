/** Lines over time in SVG, for pages that need no more: the values at the pointer, a scale and a selection. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { changeScope } from "../data/scope.ts";
import { timeLabels } from "../shape/axis.ts";
import { partsOf, pathOfLine, topOf } from "../shape/drawing.ts";
import { UNKNOWN } from "../shape/format.ts";
import { isUnknown, type Line, latestOf, summaryOf } from "../shape/history.ts";
import { brushed } from "../shape/scope.ts";
import { Plot } from "./plot.tsx";

type Props = {
  title: string;
  /** Start of each bucket, in Unix seconds. */
  at: readonly number[];
  lines: readonly Line[];
  format: (value: number) => string;
  /** The maximum of the scale, such as 100 for percentages. Follows the data if it is not set. */
  top?: number;
};

const LABELS = 3;

export function LinePlot({ title, at, lines, format, top }: Props) {
  const pointed = useSignal<number | null>(null);
  const max = useMemo(() => top ?? topOf(lines.flatMap(({ values }) => values)), [lines, top]);
  const paths = useMemo(() => lines.map(({ values }) => pathOfLine(partsOf(values, max))), [lines]);
  const step = (at[1] ?? 0) - (at[0] ?? 0);
  const startMs = (index: number) => 1_000 * (at[index] ?? 0);
  const select = (from: number, to: number) =>
    changeScope(brushed(startMs(from), startMs(to) + 1_000 * step));
  const index = pointed.value;
  const marks = Array.from({ length: LABELS }, (_, n) => Math.floor((n * at.length) / LABELS));
  const labels = timeLabels(
    marks.map((mark) => at[mark] ?? 0),
    (step * at.length) / LABELS,
  );
  return (
    <figure class="panel-chart line-plot">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-moment">
          {index !== null && timeLabels([at[index] ?? 0], Math.min(3_600, step))[0]}
        </span>
        <span class="legend">
          {lines.map(({ name, values, colour }) => {
            const value = index === null ? latestOf(values, false) : (values[index] ?? null);
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
      {isUnknown(lines.map(({ values }) => values)) ? (
        <p class="plot-frame nothing-drawn">No data in this range</p>
      ) : (
        <div class="plot-frame">
          <div class="axis-y" aria-hidden="true">
            <span>{format(max)}</span>
            <span>{format(0)}</span>
          </div>
          <Plot
            label={summaryOf(title, lines, format)}
            buckets={at.length}
            onPoint={(place) => {
              pointed.value = place;
            }}
            onPick={(place) => select(place, place)}
            onBrush={select}
          >
            {paths.map((path, n) => (
              <path key={lines[n]?.name} class={`line ${lines[n]?.colour}`} d={path} />
            ))}
          </Plot>
        </div>
      )}
      <p class="axis-x" aria-hidden="true">
        {marks.map((mark, n) => (
          <span key={mark} style={{ left: `${(100 * mark) / Math.max(1, at.length)}%` }}>
            {labels[n]}
          </span>
        ))}
      </p>
    </figure>
  );
}
