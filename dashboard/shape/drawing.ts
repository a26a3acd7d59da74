/**
 * Shapes of charts as SVG paths. A bucket is one unit wide, and the height is 100, so that a chart is
 * stretched to any size without being computed again. Pure.
 */
import type { Activity, ActivityGroup } from "../../protocol/api/activity.ts";

export const HEIGHT = 100;
/** Share of a bucket that is left free beside its bar. */
const GAP = 0.16;

const rect = (index: number, top: number, bottom: number): string =>
  `M${index + GAP / 2} ${fixed(bottom)}V${fixed(top)}h${1 - GAP}V${fixed(bottom)}z`;

const fixed = (value: number): number => Math.round(value * 100) / 100;

export type StackedBars = { paths: string[]; max: number };

/**
 * Stacks bars, the first group at the bottom.
 * @param least  the scale reaches at least this far
 */
export function stackOf(
  groups: readonly Pick<ActivityGroup, "requests">[],
  buckets: number,
  least = 0,
): StackedBars {
  const totals = Array.from({ length: buckets }, (_, index) =>
    groups.reduce((sum, { requests }) => sum + (requests[index] ?? 0), 0),
  );
  const max = Math.max(1, least, ...totals);
  const below = new Array<number>(buckets).fill(0);
  const paths = groups.map(({ requests }) => {
    let path = "";
    for (let index = 0; index < buckets; index++) {
      const amount = requests[index] ?? 0;
      if (amount === 0) continue;
      const from = below[index] ?? 0;
      below[index] = from + amount;
      path += rect(index, HEIGHT * (1 - (from + amount) / max), HEIGHT * (1 - from / max));
    }
    return path;
  });
  return { paths, max };
}

/**
 * Returns the group whose bar contains a point.
 * @param height  0 at the bottom, 1 at the top
 */
export function groupAt<Group extends Pick<ActivityGroup, "requests">>(
  groups: readonly Group[],
  index: number,
  height: number,
  max: number,
): Group | null {
  let below = 0;
  for (const group of groups) {
    below += group.requests[index] ?? 0;
    if (below > 0 && height * max <= below) return group;
  }
  return null;
}

/** Shades of a heat map. */
export const SHADES = 5;

/** Returns a path for each shade, the faintest first. A cell is one bucket wide and one band high. */
export function heatOf({ bounds_ms, counts }: NonNullable<Activity["latencies"]>): {
  paths: string[];
  bands: number;
} {
  const bands = Math.max(0, bounds_ms.length - 1);
  const most = Math.max(1, ...counts.flat());
  const paths = new Array<string>(SHADES).fill("");
  counts.forEach((column, index) => {
    column.forEach((count, band) => {
      if (count === 0) return;
      // By the root, so that a single slow request remains visible.
      const shade = Math.min(SHADES - 1, Math.floor(SHADES * Math.sqrt(count / (most + 1))));
      const top = HEIGHT * (1 - (band + 1) / bands);
      paths[shade] += rect(index, top + 0.6, top + HEIGHT / bands - 0.6);
    });
  });
  return { paths, bands };
}

/** Returns the line of a percentile over a heat map, with gaps where it is unknown. */
export function percentileLine(values: readonly (number | null)[], bounds: readonly number[]) {
  const [first = 1] = bounds;
  const last = bounds.at(-1) ?? first * 2;
  const span = Math.log2(last / first) || 1;
  return pathOfLine(
    values.map((value) => (value === null || value <= 0 ? null : Math.log2(value / first) / span)),
  );
}

/**
 * @param values  0 at the bottom, 1 at the top
 * @param first   the bucket of the first of them
 */
export function pathOfLine(values: readonly (number | null)[], first = 0): string {
  let path = "";
  let isDown = false;
  values.forEach((value, index) => {
    if (value !== null) {
      const y = fixed(HEIGHT * (1 - Math.min(1, Math.max(0, value))));
      const x = first + index;
      // A value between unknown ones is a short line.
      const isAlone = !isDown && (values[index + 1] ?? null) === null;
      path += isAlone ? `M${x + 0.2} ${y}h0.6` : `${isDown ? "L" : "M"}${x + 0.5} ${y}`;
    }
    isDown = value !== null;
  });
  return path;
}

/** Returns values as parts of their maximum, for a sparkline. */
export function partsOf(values: readonly (number | null)[], top?: number): (number | null)[] {
  const max = top ?? Math.max(0, ...values.map((value) => value ?? 0));
  return values.map((value) => (value === null ? null : max <= 0 ? 0 : value / max));
}
