/**
 * A chart over time: a title, the figures of the pointed-at or newest moment, and the lines.
 *
 * uPlot draws on a canvas, which nobody can hear, so the figure is described in words too. Its colours
 * are those of the page's tokens, read again when the theme changes.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { preferences } from "../data/preferences.ts";
import { timeLabels } from "../shape/axis.ts";
import { UNKNOWN } from "../shape/format.ts";
import { isEmpty, type Line, lastKnown, summaryOf } from "../shape/history.ts";

type Props = {
  title: string;
  /** Unix seconds, ascending. */
  at: readonly number[];
  lines: readonly Line[];
  /** A value with its unit. */
  format: (value: number) => string;
  /** Fills below a single line. */
  isArea?: boolean;
  /** The top of the scale, where it is known, e.g. 100 for percents; else what the data need. */
  top?: number;
  /** Said in place of the lines when there are none. */
  nothing?: string;
};

/** In rem, as all of the page: a wall screen has larger letters. */
const HEIGHT_REM = 11.5;
const FONT_REM = 0.75;
/** About as wide as a digit of that size. */
const LETTER_REM = 0.45;
const remPx = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
/** Charts of one page share the moment that is pointed at. */
const SYNC = "page";

export function Chart({
  title,
  at,
  lines,
  format,
  isArea = false,
  top,
  nothing = "Nothing in this range",
}: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const pointed = useSignal<number | null>(null);
  const isBlank = at.length === 0 || isEmpty(lines.map(({ values }) => values));
  const names = lines.map(({ name }) => name).join("|");
  const { theme } = preferences.value;

  // New figures are set below, without making the chart anew.
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const make = () => {
      plot.current?.destroy();
      const onPoint = (index: number | null) => {
        pointed.value = index;
      };
      plot.current = new uPlot(
        optionsOf(element, lines, { format, isArea, top, onPoint }),
        dataOf(at, lines),
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
  }, [names, theme, top]);

  useEffect(() => plot.current?.setData(dataOf(at, lines)), [at, lines]);

  const index = pointed.value;
  const moment = index === null ? null : (at[index] ?? null);
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-moment">{moment !== null && timeLabels([moment], 1)[0]}</span>
        <span class="legend">
          {lines.map(({ name, values, colour }) => {
            const value = index === null ? lastKnown(values) : (values[index] ?? null);
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
      <div class="plot" role="img" aria-label={summaryOf(title, lines, format)}>
        <div ref={host} class={isBlank ? "canvas blank" : "canvas"} />
        {isBlank && <span class="nothing">{nothing}</span>}
      </div>
    </figure>
  );
}

const dataOf = (at: readonly number[], lines: readonly Line[]): uPlot.AlignedData => [
  [...at],
  ...lines.map(({ values }) => values),
];

type Drawn = {
  format: Props["format"];
  isArea: boolean;
  top: number | undefined;
  onPoint: (index: number | null) => void;
};

function optionsOf(
  element: HTMLElement,
  lines: readonly Line[],
  { format, isArea, top, onPoint }: Drawn,
): uPlot.Options {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const rem = remPx();
  const axis = {
    stroke: token("quiet"),
    font: `${FONT_REM * rem}px ${style.fontFamily}`,
    ticks: { show: false },
  };
  return {
    width: Math.max(120, element.clientWidth),
    height: HEIGHT_REM * rem,
    // On the right half a label of the time axis.
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
      ...lines.map(({ name, colour }): uPlot.Series => {
        const stroke = token(`series-${colour}`);
        return {
          label: name,
          stroke,
          width: 1.75,
          ...(isArea && { fill: token(`fill-${colour}`) }),
          points: { size: 4, fill: stroke, filter: alone },
        };
      }),
    ],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)] },
  };
}

/** Whether a label of the time axis ends within the picture: half of one says less than none. */
const hasRoom = (plot: uPlot, at: number, widthPx: number): boolean =>
  plot.bbox.left / devicePixelRatio + plot.valToPos(at, "x") + widthPx / 2 <= plot.width;

/** A little air above the highest; a scale from 0 to 1 where all is 0. */
const roomAbove = (max: number | null): number => (max === null || max <= 0 ? 1 : max * 1.12);

/** Points are drawn only where there is no line: a value between two unknown ones. */
const alone: uPlot.Series.Points.Filter = (plot, series) => {
  const values = plot.data[series] ?? [];
  const isKnown = (index: number) => values[index] !== null && values[index] !== undefined;
  return Array.from(values, (_, index) => index).filter(
    (index) => isKnown(index) && !isKnown(index - 1) && !isKnown(index + 1),
  );
};
