/** Energy, cost, tokens or requests over time; a bar leads to its requests, a drag selects a time. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { Costs } from "../../../protocol/api/costs.ts";
import type { CostPeriodLength } from "../../../protocol/cost-periods.ts";
import { groupClass } from "../../data/model-colour.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { changeScope, linkTo } from "../../data/scope.ts";
import { hasScope } from "../../data/self.ts";
import { Choice } from "../../parts/basics.tsx";
import { Plot } from "../../parts/plot.tsx";
import { groupAt, stackOf } from "../../shape/drawing.ts";
import { compact, count, energy } from "../../shape/format.ts";
import { brushed } from "../../shape/scope.ts";
import {
  labelOfName,
  moneyText,
  timeOfName,
  USAGE_MEASURES,
  type UsageGroup,
  type UsageMeasure,
  usageName,
  usageStack,
} from "../../shape/usage.ts";

const MEASURE_NAMES: Record<UsageMeasure, string> = {
  energy: "Energy",
  cost: "Cost",
  tokens: "Tokens",
  requests: "Requests",
};
/** Shapes are drawn in whole numbers, so small amounts are parts of the highest bar. */
const PARTS = 10_000;
/** As many fit on a phone. */
const LABELS_MAX = 6;

type Props = {
  costs: Costs;
  by: UsageGroup;
  length: CostPeriodLength;
  /** Stands beside the choice of the measure. */
  children: ComponentChildren;
};

export function UsageChart({ costs, by, length, children }: Props) {
  const pointed = useSignal<number | null>(null);
  const { query } = place.value;
  const measure = USAGE_MEASURES.find((each) => each === query.show) ?? "energy";
  const { stack, names, most } = useMemo(
    () => usageStack(costs, measure, length),
    [costs, measure, length],
  );
  const bars = useMemo(
    () => stack.map(({ values }) => ({ requests: values.map((value) => (PARTS * value) / most) })),
    [stack],
  );
  const { paths } = useMemo(() => stackOf(bars, names.length), [bars]);
  const nameOf = ({ group, isRest, isUnused }: (typeof stack)[number]): string => {
    if (isUnused) return "Unused";
    if (isRest) return "Others";
    const row = costs.rows.find((each) => each.group === group);
    return usageName(row ?? { group, key_name: null }, by);
  };
  const classOf = (part: (typeof stack)[number], index: number) =>
    part.isUnused ? "unused" : groupClass(by, part.group, index);
  const format = (value: number) => amountText(value, measure, costs.currency);
  const at = pointed.value;
  const name = at === null ? undefined : names[at];
  const sumOf = (values: readonly number[]) =>
    at === null ? values.reduce((sum, value) => sum + value, 0) : (values[at] ?? 0);
  const open = (index: number, height: number) => {
    const bar = groupAt(bars, index, height, PARTS);
    const part = bar === null ? null : (stack[bars.indexOf(bar)] ?? null);
    const { fromMs, untilMs } = timeOfName(names[index] ?? "", length);
    const time = brushed(fromMs, untilMs);
    if (!hasScope("stats")) changeScope(time);
    else
      location.hash = linkTo("requests", {
        ...time,
        ...(part?.group != null && { [by]: part.group }),
      });
  };
  return (
    <figure class="panel-chart usage-chart">
      <figcaption>
        <Choice
          label="Measure"
          options={USAGE_MEASURES.map((value) => ({ value, name: MEASURE_NAMES[value] }))}
          chosen={measure}
          choose={(value) => replaceQuery("usage", { ...query, show: value })}
        />
        <span class="chart-moment">{name !== undefined && labelOfName(name, length)}</span>
        {children}
        <span class="legend">
          {stack.map((part, index) => (
            <span key={nameOf(part)}>
              <i class={`dot ${classOf(part, index)}`} /> {nameOf(part)}{" "}
              <b>{format(sumOf(part.values))}</b>
            </span>
          ))}
        </span>
      </figcaption>
      {stack.length === 0 ? (
        <p class="plot-frame nothing-drawn">
          {measure === "cost"
            ? "No price was set in this period"
            : "Nothing was measured in this period"}
        </p>
      ) : (
        <div class="plot-frame">
          <span class="axis-y" aria-hidden="true">
            {[1, 0.5, 0].map((part) => (
              <span key={part}>{format(part * most)}</span>
            ))}
          </span>
          <Plot
            label={`${MEASURE_NAMES[measure]}: ${stack.map((part) => `${nameOf(part)} ${format(part.values.reduce((sum, value) => sum + value, 0))}`).join(", ")}`}
            buckets={names.length}
            onPoint={(index) => {
              pointed.value = index;
            }}
            onPick={open}
            onBrush={(from, to) =>
              changeScope(
                brushed(
                  timeOfName(names[from] ?? "", length).fromMs,
                  timeOfName(names[to] ?? "", length).untilMs,
                ),
              )
            }
          >
            {paths.map((path, index) => {
              const part = stack[index];
              return part === undefined ? null : (
                <path key={nameOf(part)} class={classOf(part, index)} d={path} />
              );
            })}
          </Plot>
        </div>
      )}
      <p class="axis-x" aria-hidden="true">
        {names.map((each, index) =>
          index % Math.ceil(names.length / LABELS_MAX) === 0 ? (
            <span key={each} style={{ left: `${(100 * index) / names.length}%` }}>
              {labelOfName(each, length)}
            </span>
          ) : null,
        )}
      </p>
    </figure>
  );
}

function amountText(value: number, measure: UsageMeasure, currency: string | null): string {
  if (value === 0) return "0";
  if (measure === "energy") return energy(value);
  if (measure === "cost") return moneyText(value, currency);
  return measure === "tokens" ? compact(value) : count(Math.round(value));
}
