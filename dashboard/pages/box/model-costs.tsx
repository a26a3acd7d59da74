/** The energy of a box this month, by model, with what it cost. */
import type { CostRow } from "../../../protocol/api/costs.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import { NumberHeads } from "../../parts/table-heads.tsx";
import { count, energy, money, percent, UNKNOWN } from "../../shape/format.ts";

const EVERY_MS = 60_000;
const FIGURES = ["Requests", "Energy", "Unused", "Cost", "Per\u00a01M out"];

export function ModelCosts({ box }: { box: string }) {
  const { data, error, refetch } = useQuery(
    "/api/costs",
    { query: { by: "model", box } },
    EVERY_MS,
  );
  const moneyOf = (amount: number | null) =>
    amount === null || data?.currency == null ? UNKNOWN : money(amount, data.currency);
  const row = (name: string | null, { key, ...figures }: CostRow & { key?: string }) => (
    <tr key={key}>
      <th scope="row">{name === null ? "Total" : <ModelLink model={name} />}</th>
      <td class="number">{count(figures.requests)}</td>
      <td class="number">{energy(figures.energy_j)}</td>
      <td class="number">{percent(figures.unused_share)}</td>
      <td class="number">{moneyOf(figures.cost)}</td>
      <td class="number">{moneyOf(figures.cost_per_million_output)}</td>
    </tr>
  );
  return (
    <Section title="Energy and cost" aside={<span class="aside">this month, by model</span>}>
      {error !== null && (
        <FailureNote title="Could not load the costs." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={3} />
      ) : (
        <TableScroll label="Energy and cost by model">
          <table>
            <thead>
              <tr>
                <th scope="col">Model</th>
                <NumberHeads names={FIGURES} />
              </tr>
            </thead>
            <tbody>
              {data.rows.map((each) =>
                each.group === null ? null : row(each.group, { ...each, key: each.group }),
              )}
              {row(null, data.total)}
            </tbody>
          </table>
        </TableScroll>
      )}
      {data !== null && data.currency === null && (
        <p class="footnote">
          <a href="#/settings">Set a price per kWh</a> to see the cost.
        </p>
      )}
    </Section>
  );
}
