/**
 * The requests of the list over time. A drag selects a time, and a press on a bar selects that of the bar.
 */
import { useRef, useState } from "preact/hooks";
import type { LogFacets } from "../../../protocol/api/log-facets.ts";
import type { Status } from "../../../protocol/records.ts";
import { timeLabels } from "../../shape/axis.ts";
import { partsOf, pathOfLine } from "../../shape/drawing.ts";
import { count, duration } from "../../shape/format.ts";
import { barsOf, requestsOf, summaryOfBars } from "../../shape/histogram.ts";

/** Drawn from the bottom up. */
const STACK: readonly Status[] = ["success", "cancelled", "error"];
const HEIGHT = 100;
const TICKS = 5;

type Props = {
  histogram: LogFacets["histogram"] | null;
  /** The period that it is compared with, drawn as a line; null without one. */
  before: LogFacets["histogram"] | null;
  select: (oneMs: number, otherMs: number) => void;
};

export function TimeBars({ histogram, before, select }: Props) {
  const plot = useRef<HTMLDivElement>(null);
  /** Ends of the drag, as parts of the width. */
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  if (histogram === null) return <div class="histogram" />;
  const { bars, fromMs, untilMs, bucketMs, ...own } = barsOf(histogram);
  const earlier = before === null ? null : barsOf(before);
  const most = Math.max(own.most, earlier?.most ?? 0);
  const partOf = ({ clientX }: PointerEvent): number => {
    const { left = 0, width = 1 } = plot.current?.getBoundingClientRect() ?? {};
    return Math.min(1, Math.max(0, (clientX - left) / width));
  };
  const at = (part: number) => fromMs + part * (untilMs - fromMs);
  const end = () => {
    if (drag === null) return;
    setDrag(null);
    const { from, to } = drag;
    const bucket = Math.min(bars.length - 1, Math.floor(from * bars.length));
    if (Math.abs(from - to) * bars.length < 0.5)
      select(fromMs + bucket * bucketMs, fromMs + (bucket + 1) * bucketMs);
    else select(at(from), at(to));
  };
  const ticks = Array.from({ length: TICKS }, (_, n) => at(n / (TICKS - 1)) / 1_000);
  const labels = timeLabels(ticks, (untilMs - fromMs) / 1_000 / (TICKS - 1));
  return (
    <div class="histogram">
      <span class="histogram-most">{count(most)}</span>
      <div
        ref={plot}
        class="histogram-plot"
        role="img"
        aria-label={summaryOfBars(histogram, before)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag({ from: partOf(event), to: partOf(event) });
        }}
        onPointerMove={(event) => drag !== null && setDrag({ ...drag, to: partOf(event) })}
        onPointerUp={end}
        onPointerCancel={() => setDrag(null)}
      >
        <svg viewBox={`0 0 ${bars.length} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {bars.map((bar, index) => {
            let below = 0;
            return STACK.map((status) => {
              const height = most === 0 ? 0 : (HEIGHT * bar[status]) / most;
              below += height;
              return (
                height > 0 && (
                  <rect
                    key={status}
                    class={status}
                    x={index + 0.08}
                    width={0.84}
                    y={HEIGHT - below}
                    height={height}
                  />
                )
              );
            });
          })}
          {earlier !== null && (
            <path class="before" d={pathOfLine(partsOf(earlier.bars.map(requestsOf), most))} />
          )}
        </svg>
        {drag !== null && (
          <i
            class="brush"
            style={{
              left: `${100 * Math.min(drag.from, drag.to)}%`,
              width: `${100 * Math.abs(drag.from - drag.to)}%`,
            }}
          >
            <b>{duration(Math.abs(at(drag.to) - at(drag.from)))}</b>
          </i>
        )}
      </div>
      <div class="histogram-axis" aria-hidden="true">
        {labels.map((label, index) => (
          <span key={index}>{label}</span>
        ))}
      </div>
    </div>
  );
}
