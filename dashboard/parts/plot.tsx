/**
 * The area of a chart over time: it finds the bucket under the pointer, selects a range by dragging, and
 * opens the bucket that is clicked.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { HEIGHT } from "../shape/drawing.ts";

type Props = {
  label: string;
  buckets: number;
  /** @param height  0 at the bottom, 1 at the top */
  onPick: (index: number, height: number) => void;
  /** Both ends are included. */
  onBrush: (from: number, to: number) => void;
  onPoint?: (index: number | null) => void;
  /** The bucket that another chart is pointed at. */
  marked?: number | null;
  /** Shapes, in units of {@link HEIGHT} and buckets. */
  children: ComponentChildren;
};

export function Plot({ label, buckets, onPick, onBrush, onPoint, marked = null, children }: Props) {
  const area = useRef<HTMLDivElement>(null);
  const from = useSignal<number | null>(null);
  const at = useSignal<number | null>(null);
  const place = (event: PointerEvent) => {
    const box = area.current?.getBoundingClientRect();
    if (box === undefined) return { index: 0, height: 0 };
    const x = (event.clientX - box.left) / box.width;
    return {
      index: Math.min(buckets - 1, Math.max(0, Math.floor(x * buckets))),
      height: 1 - (event.clientY - box.top) / box.height,
    };
  };
  const point = (index: number | null) => {
    at.value = index;
    onPoint?.(index);
  };
  const [low, high] = [from.value, at.value].toSorted((a, b) => (a ?? 0) - (b ?? 0));
  const lit = at.value ?? marked;
  const isBrushing = from.value !== null && at.value !== null && from.value !== at.value;
  return (
    <div
      ref={area}
      class="plot-area"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        const { index } = place(event);
        from.value = index;
        point(index);
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => point(place(event).index)}
      onPointerLeave={() => from.value === null && point(null)}
      onPointerCancel={() => {
        from.value = null;
        point(null);
      }}
      onPointerUp={(event) => {
        const begun = from.value;
        const { index, height } = place(event);
        from.value = null;
        if (begun === null) return;
        if (begun === index) onPick(index, height);
        else onBrush(Math.min(begun, index), Math.max(begun, index));
      }}
    >
      <svg
        viewBox={`0 0 ${buckets} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        {lit !== null && !isBrushing && (
          <rect class="pointed" x={lit} y={0} width={1} height={HEIGHT} />
        )}
        {children}
        {isBrushing && low !== null && high !== null && low !== undefined && high !== undefined && (
          <rect class="brushed" x={low} y={0} width={high - low + 1} height={HEIGHT} />
        )}
      </svg>
    </div>
  );
}

type SparklineProps = {
  path: string;
  /** The line of an earlier period; null without one. */
  before?: string | null;
  buckets: number;
  tone: string;
};

/** A line without axes. */
export const Sparkline = ({ path, before = null, buckets, tone }: SparklineProps) => (
  <svg
    class={`sparkline ${tone}`}
    viewBox={`0 -6 ${Math.max(1, buckets)} ${HEIGHT + 12}`}
    preserveAspectRatio="none"
    aria-hidden="true"
    focusable="false"
  >
    {before !== null && <path class="before" d={before} />}
    <path d={path} />
  </svg>
);
