/**
 * Six figures of the period, each with its course and compared with another period: the one before, unless
 * another is chosen. Its course is a pale line if it was chosen.
 */
import { useMemo } from "preact/hooks";
import type { Activity } from "../../../protocol/api/activity.ts";
import { scope } from "../../data/scope.ts";
import { Sparkline } from "../../parts/plot.tsx";
import { type FigureCard, figureCards } from "../../shape/activity.ts";
import { partsOf, pathOfLine } from "../../shape/drawing.ts";

type Props = { activity: Activity; before: Activity | null };

export function Figures({ activity, before }: Props) {
  const { compare } = scope.value;
  const isDrawn = compare !== null;
  const cards = useMemo(() => figureCards(activity, before, isDrawn), [activity, before, isDrawn]);
  return (
    <dl class="figure-cards">
      {cards.map(({ name, value, delta, isWorse, values, compared, tone }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="figure-value">{value}</dd>
          <dd class={isWorse ? "figure-delta bad-text" : "figure-delta"}>
            {delta === null ? "" : `${delta} vs ${compare === "week" ? "week before" : "before"}`}
          </dd>
          <dd class="figure-course" aria-hidden="true">
            <Course values={values} compared={compared} tone={tone} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Both lines are on one scale. */
function Course({ values, compared, tone }: Pick<FigureCard, "values" | "compared" | "tone">) {
  const top = Math.max(0, ...[...values, ...compared].map((value) => value ?? 0));
  const pathOf = (line: FigureCard["values"]) => pathOfLine(partsOf(line, top));
  return (
    <Sparkline
      path={pathOf(values)}
      before={compared.length === 0 ? null : pathOf(compared)}
      buckets={values.length}
      tone={tone}
    />
  );
}
