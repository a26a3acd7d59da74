/** The sums of the period. */
import type { CostRow, Costs } from "../../../protocol/api/costs.ts";
import type { ComparedPrice } from "../../shape/compared-price.ts";
import { usageCards } from "../../shape/usage.ts";

type Props = {
  costs: Costs;
  price: ComparedPrice | null;
  /** The sums of the period that this one is compared with. */
  before: CostRow | null;
};

export function UsageCards({ costs, price, before }: Props) {
  const earlier = before === null ? null : usageCards({ ...costs, total: before }, price);
  return (
    <dl class="figure-cards usage-cards">
      {usageCards(costs, price).map(({ name, value, fact }, index) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="figure-value">{value}</dd>
          <dd class="usage-fact">
            {name === "Cost" && costs.currency === null ? (
              <a href="#/settings">Set a price per kWh</a>
            ) : (
              fact
            )}
            {earlier !== null && <span>before: {earlier[index]?.value}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
