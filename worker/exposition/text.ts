/**
 * The exposition: metric families and their samples as text.
 *
 * There are two formats, Prometheus 0.0.4 and OpenMetrics 1.0. In OpenMetrics the family of a counter
 * is named without `_total`, and `# EOF` ends the text. Neither has blank lines, which OpenMetrics forbids.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
import type { Histogram } from "../counting/histogram.ts";
import type { Family } from "./family.ts";

/** `labels` are values in the order of the family's label names. */
export type Sample =
  | { labels: readonly string[]; value: number }
  | { labels: readonly string[]; histogram: Histogram };
export type FamilySamples = { family: Family; samples: readonly Sample[] };

export function render(families: readonly FamilySamples[], isOpenMetrics: boolean): string {
  const lines: string[] = [];
  for (const { family, samples } of families) {
    const name =
      isOpenMetrics && family.type === "counter" ? family.name.replace(/_total$/, "") : family.name;
    lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`);
    for (const sample of samples) {
      const labels = family.labels.map(
        (label, index) => `${label}="${escaped(sample.labels[index] ?? "")}"`,
      );
      if ("value" in sample) lines.push(line(family.name, labels, sample.value));
      else pushHistogram(lines, family.name, labels, sample.histogram);
    }
  }
  if (isOpenMetrics) lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function pushHistogram(
  lines: string[],
  name: string,
  labels: readonly string[],
  histogram: Histogram,
): void {
  let cumulative = 0;
  for (const [index, count] of histogram.counts.entries()) {
    cumulative += count;
    const edge = histogram.edges[index];
    lines.push(line(`${name}_bucket`, [...labels, `le="${edge ?? "+Inf"}"`], cumulative));
  }
  lines.push(line(`${name}_sum`, labels, histogram.sum), line(`${name}_count`, labels, cumulative));
}

const line = (name: string, labels: readonly string[], value: number): string =>
  `${name}${labels.length === 0 ? "" : `{${labels.join(",")}}`} ${numeral(value)}`;

/** Formats whole numbers as `42.0`, like the Python client and the documentation. */
const numeral = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : String(value);

const ESCAPES: Record<string, string> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };
const escaped = (value: string): string =>
  value.toWellFormed().replace(/[\\"\n]/g, (character) => ESCAPES[character] ?? character);
