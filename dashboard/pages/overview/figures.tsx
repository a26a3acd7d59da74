/** Six figures of the period, each with its course and compared with the period before. */
import { useMemo } from "preact/hooks";
import type { Activity } from "../../../protocol/api/activity.ts";
import { Sparkline } from "../../parts/plot.tsx";
import { figureCards } from "../../shape/activity.ts";
import { partsOf, pathOfLine } from "../../shape/drawing.ts";

type Props = { activity: Activity; before: Activity | null };

export function Figures({ activity, before }: Props) {
  const cards = useMemo(
    () => figureCards(activity, before?.total ?? null),
    [activity, before?.total],
  );
  return (
    <dl class="figure-cards">
      {cards.map(({ name, value, delta, isWorse, values, tone }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="figure-value">{value}</dd>
          <dd class={isWorse ? "figure-delta bad-text" : "figure-delta"}>
            {delta === null ? "" : `${delta} vs before`}
          </dd>
          <dd class="figure-course" aria-hidden="true">
            <Sparkline path={pathOfLine(partsOf(values))} buckets={values.length} tone={tone} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
