/**
 * A strict parser of the exposition. It rejects text that Prometheus would accept silently and then
 * compute wrong results from: split families, repeated series, buckets that fall or lack +Inf.
 */

export type Series = { name: string; labels: Record<string, string>; value: number };
export type ParsedFamily = { name: string; type: string; help: string; series: Series[] };

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
const SUFFIXES: Record<string, string[]> = {
  histogram: ["_bucket", "_sum", "_count"],
  gauge: [""],
};

/**
 * Returns families by name, as in their TYPE line.
 * @throws {Error} with the offending line
 */
export function parseExposition(text: string, isOpenMetrics = false): Map<string, ParsedFamily> {
  if (!text.endsWith("\n")) throw new Error("the text does not end with a newline");
  const lines = text.slice(0, -1).split("\n");
  if (isOpenMetrics && lines.pop() !== "# EOF") throw new Error("no # EOF at the end");
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let current: ParsedFamily | null = null;
  for (const line of lines) {
    const comment = COMMENT.exec(line);
    if (comment !== null) {
      const [, kind = "", name = "", rest = ""] = comment;
      if (kind === "HELP") {
        if (families.has(name)) throw new Error(`a family twice, or split: ${line}`);
        current = { name, type: "", help: rest, series: [] };
        families.set(name, current);
      } else {
        if (current?.name !== name || current.type !== "")
          throw new Error(`a TYPE that does not follow its HELP: ${line}`);
        current.type = rest;
      }
      continue;
    }
    const series = parseSample(line);
    if (current === null || !namesOf(current, isOpenMetrics).includes(series.name))
      throw new Error(`a sample outside its family: ${line}`);
    const key = JSON.stringify([series.name, Object.entries(series.labels).sort()]);
    if (seen.has(key)) throw new Error(`a series twice: ${line}`);
    seen.add(key);
    current.series.push(series);
  }
  for (const family of families.values()) {
    if (family.type === "") throw new Error(`no TYPE of ${family.name}`);
    if (family.type === "histogram") checkHistograms(family);
    if (family.type === "counter") checkCounter(family);
  }
  return families;
}

/** Returns the value of one series. @throws if the series is missing */
export function seriesValue(
  families: Map<string, ParsedFamily>,
  name: string,
  labels: Record<string, string> = {},
): number {
  for (const { series } of families.values())
    for (const one of series)
      if (
        one.name === name &&
        JSON.stringify(Object.entries(one.labels).sort()) ===
          JSON.stringify(Object.entries(labels).sort())
      )
        return one.value;
  throw new Error(`no series ${name} ${JSON.stringify(labels)}`);
}

function namesOf({ name, type }: ParsedFamily, isOpenMetrics: boolean): string[] {
  if (type === "counter") return [isOpenMetrics ? `${name}_total` : name];
  return (SUFFIXES[type] ?? []).map((suffix) => name + suffix);
}

function parseSample(line: string): Series {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`not a line of the exposition: ${JSON.stringify(line)}`);
  const [, name = "", labelText = "", valueText = ""] = match;
  const labels: Record<string, string> = {};
  for (let rest = labelText; rest !== ""; ) {
    const label = LABEL.exec(rest);
    if (label === null) throw new Error(`not a label: ${rest}`);
    const [all, key = "", value = ""] = label;
    if (key in labels) throw new Error(`a label twice: ${line}`);
    labels[key] = value.replace(/\\(.)/g, (_, character: string) =>
      character === "n" ? "\n" : character,
    );
    rest = rest.slice(all.length);
  }
  const value = valueText === "+Inf" ? Number.POSITIVE_INFINITY : Number(valueText);
  if (Number.isNaN(value)) throw new Error(`not a value: ${line}`);
  return { name, labels, value };
}

function checkCounter({ name, series }: ParsedFamily): void {
  for (const { value } of series)
    if (value < 0 || !Number.isFinite(value)) throw new Error(`${name} counts ${value}`);
}

function checkHistograms({ name, series }: ParsedFamily): void {
  const groups = Map.groupBy(series, ({ labels: { le: _, ...labels } }) =>
    JSON.stringify(Object.entries(labels).sort()),
  );
  for (const [labels, group] of groups) {
    const buckets = group.filter((one) => one.name === `${name}_bucket`);
    const edges = buckets.map((one) =>
      one.labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(one.labels.le),
    );
    const counts = buckets.map(({ value }) => value);
    if (edges.some((edge, index) => Number.isNaN(edge) || edge <= (edges[index - 1] ?? -1)))
      throw new Error(`${name}${labels}: edges do not rise`);
    if (counts.some((count, index) => count < (counts[index - 1] ?? 0)))
      throw new Error(`${name}${labels}: counts fall`);
    if (edges.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}${labels}: no +Inf`);
    const count = group.filter((one) => one.name === `${name}_count`);
    const sum = group.filter((one) => one.name === `${name}_sum`);
    if (count.length !== 1 || sum.length !== 1)
      throw new Error(`${name}${labels}: needs one _count and one _sum`);
    if (count[0]?.value !== counts.at(-1)) throw new Error(`${name}${labels}: +Inf is not _count`);
  }
}
