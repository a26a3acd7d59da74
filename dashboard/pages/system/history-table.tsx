/** The figures behind the charts of machines and GPUs; each time leads to its requests. */
import { linkTo } from "../../data/scope.ts";
import { AsTable } from "../../parts/as-table.tsx";
import { TableScroll } from "../../parts/basics.tsx";
import { timeLabels } from "../../shape/axis.ts";
import { UNKNOWN } from "../../shape/format.ts";
import { type HistoryChart, historyRows } from "../../shape/machine-history.ts";
import { brushed } from "../../shape/scope.ts";

type Props = { charts: readonly HistoryChart[] };

export const HistoryTable = ({ charts }: Props) => (
  <AsTable of="the history">{() => <Table charts={charts} />}</AsTable>
);

function Table({ charts }: Props) {
  const { heads, rows } = historyRows(charts);
  return (
    <TableScroll label="Machines and GPUs over time">
      <table>
        <thead>
          <tr>
            <th scope="col">From</th>
            {heads.map((head) => (
              <th key={head} scope="col" class="number">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, stepSeconds, cells }) => (
            <tr key={at}>
              <th scope="row">
                <a href={linkTo("requests", brushed(1_000 * at, 1_000 * (at + stepSeconds)))}>
                  {timeLabels([at], Math.min(3_600, stepSeconds))[0]}
                </a>
              </th>
              {cells.map((cell, index) => (
                <td key={heads[index]} class="number">
                  {cell ?? UNKNOWN}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}
