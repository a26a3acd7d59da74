/** One line for each model, box or key, the most energy first; on a phone, one card. */
import type { CostRow, Costs } from "../../../protocol/api/costs.ts";
import { groupClass } from "../../data/model-colour.ts";
import { linkTo } from "../../data/scope.ts";
import { TableScroll } from "../../parts/basics.tsx";
import { NumberHeads } from "../../parts/table-heads.tsx";
import { type ComparedPrice, costAt } from "../../shape/compared-price.ts";
import { co2, compact, count, energy, percent } from "../../shape/format.ts";
import { moneyText, type UsageGroup, unusedCostOf, usageName } from "../../shape/usage.ts";

type Props = {
  costs: Costs;
  by: UsageGroup;
  price: ComparedPrice | null;
  /** Somebody who sees no requests gets no links to them. */
  isOwn: boolean;
};

const COLUMNS = [
  "Energy",
  "Unused",
  "Cost",
  "Cost unused",
  "CO₂",
  "Requests",
  "Tokens in",
  "Tokens out",
  "Per 1M in",
  "Per 1M out",
] as const;

export function UsageTable({ costs, by, price, isOwn }: Props) {
  const { rows, total } = costs;
  const most = Math.max(...rows.map(({ energy_j }) => energy_j ?? 0));
  const columns = [...COLUMNS, ...(price === null ? [] : ["At your price"])];
  const cellsOf = (row: CostRow) => cells(row, costs.currency, price);
  return (
    <TableScroll label="Table of usage and energy">
      <table class="usage-table rows-as-cards">
        <thead>
          <tr>
            <th scope="col">{by === "model" ? "Model" : by === "box" ? "Box" : "Key"}</th>
            <NumberHeads names={columns} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={row.group}>
              <th scope="row">
                <i class={`dot ${groupClass(by, row.group, index)}`} />{" "}
                {row.group === null || isOwn ? (
                  usageName(row, by)
                ) : (
                  <a href={linkTo("requests", { [by]: row.group })}>{usageName(row, by)}</a>
                )}
                <EnergyBar row={row} most={most} />
              </th>
              <Cells texts={cellsOf(row)} columns={columns} />
            </tr>
          ))}
          {rows.length > 1 && (
            <tr class="total-row">
              <th scope="row">Total</th>
              <Cells texts={cellsOf(total)} columns={columns} />
            </tr>
          )}
        </tbody>
      </table>
    </TableScroll>
  );
}

const Cells = ({ texts, columns }: { texts: readonly string[]; columns: readonly string[] }) => (
  <>
    {texts.map((text, index) => (
      <td key={columns[index]} class="number" data-label={columns[index]}>
        {text}
      </td>
    ))}
  </>
);

function cells(row: CostRow, currency: string | null, price: ComparedPrice | null): string[] {
  const moneyOf = (amount: number | null) => moneyText(amount, currency);
  return [
    energy(row.energy_j),
    percent(row.unused_share),
    moneyOf(row.cost),
    moneyOf(unusedCostOf(row)),
    co2(row.co2_g).replace(" CO₂", ""),
    count(row.requests),
    compact(row.prompt_tokens),
    compact(row.completion_tokens),
    moneyOf(row.cost_per_million_input),
    moneyOf(row.cost_per_million_output),
    ...(price === null ? [] : [moneyOf(costAt(row, price))]),
  ];
}

/** The energy of the row beside that of the first one; its unused part is grey. */
function EnergyBar({ row, most }: { row: CostRow; most: number }) {
  const { energy_j, unused_share } = row;
  if (energy_j === null || most <= 0) return null;
  const width = (100 * energy_j) / most;
  const unused = width * (unused_share ?? 0);
  return (
    <span class="energy-bar" aria-hidden="true">
      <i class="used" style={{ width: `${width - unused}%` }} />
      <i class="idle" style={{ width: `${unused}%` }} />
    </span>
  );
}
