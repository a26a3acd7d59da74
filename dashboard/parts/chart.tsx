/**
 * A chart over time: a title, the values at the cursor or the latest values, and the lines.
 *
 * uPlot draws on a canvas, which screen readers cannot read, so a text summary describes the chart.
 * Its colours come from the page's design tokens, which are read again when the theme changes.
 */
import "./locale.ts";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { preferences } from "../data/preferences.ts";
import { timeLabels } from "../shape/axis.ts";
import { UNKNOWN } from "../shape/format.ts";
import { isUnknown, type Line, latestOf, summaryOf } from "../shape/history.ts";

type Props = {
  title: string;
  /** In Unix seconds, ascending. */
  at: readonly number[];
  /** Drawn again whenever it is another array, so keep it while the data is the same. */
  lines: readonly Line[];
  /** Formats a value with its unit. */
  format: (value: number) => string;
  /** Fills the area below a single line. */
  isArea?: boolean;
  /** The maximum of the scale, such as 100 for percentages. Follows the data if it is not set. */
  top?: number;
  /** Text shown in place of a chart of which no value is known. */
  nothing?: string;
  /** The last bucket is not over yet: it is drawn dashed, and is not the latest value. */
  isUnfinished?: boolean;
};

/** In rem, like the rest of the page: a wall display uses larger text. */
const HEIGHT_REM = 11.5;
const FONT_REM = 0.75;
/** The approximate width of a digit at that font size. */
const LETTER_REM = 0.45;
const remPx = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
/** The charts of one page share a cursor. */
const SYNC = "page";

export function Chart({
  title,
  at,
  lines,
  format,
  isArea = false,
  top,
  nothing = "No data in this range",
  isUnfinished = false,
}: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const pointed = useSignal<number | null>(null);
  const { theme, temperature, sizes } = preferences.value;
  const isBlank = useMemo(() => isUnknown(lines.map(({ values }) => values)), [lines]);
  const summary = useMemo(
    () => summaryOf(title, lines, format, isUnfinished),
    [title, lines, isUnfinished, temperature, sizes],
  );
  const names = lines.map(({ name }) => name).join("|");

  // New data is set by the next effect, without rebuilding the chart.
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const make = () => {
      plot.current?.destroy();
      const onPoint = (index: number | null) => {
        pointed.value = index;
      };
      plot.current = new uPlot(
        optionsOf(element, lines, { format, isArea, top, isUnfinished, onPoint }),
        dataOf(at, lines, isUnfinished),
        element,
      );
    };
    make();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT_REM * remPx() }),
    );
    resized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", make);
    return () => {
      dark.removeEventListener("change", make);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names, theme, top, isUnfinished]);

  useEffect(() => plot.current?.setData(dataOf(at, lines, isUnfinished)), [at, lines]);

  const index = pointed.value;
  const moment = index === null ? null : (at[index] ?? null);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-moment">{moment !== null && timeLabels([moment], 1)[0]}</span>
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
      <div class="plot" role="img" aria-label={summary}>
        <div ref={host} class={isBlank ? "canvas blank" : "canvas"} />
        {isBlank && <span class="nothing">{nothing}</span>}
      </div>
    </figure>
  );
}

/** In CSS pixels. */
const LINE_WIDTH = 1.75;

/** The widest line first, which is drawn below the others. */
const drawn = (lines: readonly Line[]): Line[] =>
  lines.toSorted((a, b) => (b.width ?? LINE_WIDTH) - (a.width ?? LINE_WIDTH));

/** With an unfinished bucket, a second, dashed line leads from the last whole bucket to it. */
function dataOf(
  at: readonly number[],
  lines: readonly Line[],
  isUnfinished: boolean,
): uPlot.AlignedData {
  const values = drawn(lines).map((line) => line.values);
  if (!isUnfinished) return [at as number[], ...values];
  return [
    at as number[],
    ...values.map((column) => column.with(-1, null)),
    ...values.map((column) => column.map((value, n) => (n < column.length - 2 ? null : value))),
  ];
}

type Drawn = {
  format: Props["format"];
  isArea: boolean;
  top: number | undefined;
  isUnfinished: boolean;
  onPoint: (index: number | null) => void;
};

function optionsOf(
  element: HTMLElement,
  lines: readonly Line[],
  { format, isArea, top, isUnfinished, onPoint }: Drawn,
): uPlot.Options {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const rem = remPx();
  const axis = {
    stroke: token("quiet"),
    // uPlot scales the font to the screen's density, but only if its size is a whole number.
    font: `${Math.round(FONT_REM * rem)}px ${style.fontFamily}`,
    ticks: { show: false },
  };
  return {
    width: Math.max(120, element.clientWidth),
    height: HEIGHT_REM * rem,
    // The right padding leaves room for half a label of the time axis.
    padding: [8, 1.3 * rem, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: SYNC }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, top ?? roomAbove(max)] } },
    axes: [
      {
        ...axis,
        size: 1.75 * rem,
        grid: { show: false },
        space: 4.3 * rem,
        values: (plot, splits, _, __, step) => {
          const labels = timeLabels(splits, step);
          return labels.map((label, index) =>
            hasRoom(plot, splits[index] ?? 0, label.length * LETTER_REM * rem) ? label : "",
          );
        },
      },
      {
        ...axis,
        size: 4.3 * rem,
        gap: 4,
        grid: { stroke: token("grid"), width: 1 },
        space: 2.4 * rem,
        values: (_, splits) => splits.map(format),
      },
    ],
    series: [
      {},
      ...drawn(lines).map(
        (line): uPlot.Series => ({
          ...seriesOf(line, token),
          ...(isArea && { fill: token(`fill-${line.colour}`) }),
        }),
      ),
      ...(isUnfinished
        ? drawn(lines).map((line): uPlot.Series => ({ ...seriesOf(line, token), dash: [4, 3] }))
        : []),
    ],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)] },
  };
}

function seriesOf(
  { name, colour, width = LINE_WIDTH }: Line,
  token: (name: string) => string,
): uPlot.Series {
  const stroke = token(`series-${colour}`);
  return { label: name, stroke, width, points: { size: 4, fill: stroke, filter: isolatedPoints } };
}

/**
 * Returns true if a label of the time axis fits in the chart. A label cut in half would mislead.
 */
const hasRoom = (plot: uPlot, at: number, widthPx: number): boolean =>
  plot.bbox.left / devicePixelRatio + plot.valToPos(at, "x") + widthPx / 2 <= plot.width;

/** Leaves some room above the highest value. Returns 1 if every value is 0. */
const roomAbove = (max: number | null): number => (max === null || max <= 0 ? 1 : max * 1.12);

/** Draws a point only for a value between two unknown ones, because no line passes through it. */
const isolatedPoints: uPlot.Series.Points.Filter = (plot, series) => {
  const values = plot.data[series] ?? [];
  const isKnown = (index: number) => values[index] !== null && values[index] !== undefined;
  const isolated: number[] = [];
  for (let index = 0; index < values.length; index++)
    if (isKnown(index) && !isKnown(index - 1) && !isKnown(index + 1)) isolated.push(index);
  return isolated;
};
