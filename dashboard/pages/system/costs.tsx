/** The energy and the costs of a month, by model, box, key, day or month. */
import type { CostRow, Costs } from "../../../protocol/api/costs.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { useQuery } from "../../data/query.ts";
import { Choice, Empty, FailureNote, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import {
  COST_RANGES,
  type CostRange,
  coverageNote,
  datesOf,
  groupName,
} from "../../shape/costs.ts";
import { co2, compact, count, energy, money, percent, UNKNOWN } from "../../shape/format.ts";
import { sumKnown } from "../../shape/power.ts";

const GROUPS = ["model", "box", "key", "day", "month"] as const;
const GROUP_NAMES = { model: "Model", box: "Box", key: "Key", day: "Day", month: "Month" } as const;
const EVERY_MS = 60_000;

export function EnergyCosts({ box, hasTariff }: { box: string; hasTariff: boolean }) {
  const { query } = place.value;
  const by = GROUPS.find((each) => each === query.by) ?? "model";
  const range = COST_RANGES.find((each) => each === query.costs) ?? "this month";
  const { data, error, refetch, isLoading } = useQuery(
    "/api/costs",
    { query: { by, box, ...datesOf(range, Date.now()) } },
    EVERY_MS,
  );
  const choose = (change: { by?: string; costs?: CostRange }) =>
    replaceQuery("system", { ...query, ...change });
  return (
    <Section
      title="Energy and costs"
      aside={
        <>
          <Choice
            label="Range of the costs"
            options={COST_RANGES.map((value) => ({ value, name: capitalized(value) }))}
            chosen={range}
            choose={(costs) => choose({ costs })}
          />
          <Choice
            label="Costs by"
            options={GROUPS.map((value) => ({ value, name: GROUP_NAMES[value] }))}
            chosen={by}
            choose={(chosen) => choose({ by: chosen })}
          />
        </>
      }
    >
      {error !== null && (
        <FailureNote title="Could not load the costs." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={3} />
      ) : data.rows.length === 0 ? (
        <Empty title="No energy or requests in this range" />
      ) : (
        <div class={isLoading ? "loading" : ""}>
          <CostTable costs={data} />
          <Notes costs={data} hasTariff={hasTariff} />
        </div>
      )}
    </Section>
  );
}

function CostTable({ costs }: { costs: Costs }) {
  const { rows, total, by, compared_with } = costs;
  const isCompared = compared_with !== null;
  return (
    <TableScroll label="Table of energy and costs">
      <table>
        <thead>
          <tr>
            <th scope="col">{GROUP_NAMES[by]}</th>
            {[
              "Energy",
              "Cost",
              "Unused",
              "Cost unused",
              "CO₂",
              "Requests",
              "Requests, per\u00a01M in\u00a0/\u00a0out",
              ...(isCompared ? ["Same tokens at your price"] : []),
            ].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.group} row={row} costs={costs} name={groupName(row, by)} />
          ))}
          {rows.length > 1 && <Row row={total} costs={costs} name="Total" />}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Row({ row, costs, name }: { row: CostRow; costs: Costs; name: string }) {
  const { currency, compared_with } = costs;
  const moneyOf = (amount: number | null) =>
    amount === null || currency === null ? UNKNOWN : money(amount, currency);
  const unused = sumKnown([row.standing_cost, row.idle_cost]);
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">{energy(row.energy_j)}</td>
      <td class="number">{moneyOf(row.cost)}</td>
      <td class="number">{percent(row.unused_share)}</td>
      <td class="number">{moneyOf(unused)}</td>
      <td class="number">{co2(row.co2_g)}</td>
      <td class="number">{count(row.requests)}</td>
      <td class="number">
        {moneyOf(row.cost_per_million_input)} / {moneyOf(row.cost_per_million_output)}
      </td>
      {compared_with !== null && <td class="number">{moneyOf(row.compared_cost)}</td>}
    </tr>
  );
}

function Notes({ costs, hasTariff }: { costs: Costs; hasTariff: boolean }) {
  const { total, compared_with, currency, time_zone } = costs;
  const coverage = coverageNote(total);
  return (
    <p class="footnote">
      Unused energy was drawn while no request was open; models in memory share it equally. Energy
      of the GPU boards, times in {time_zone}. {coverage !== null && `${coverage} `}
      {compared_with !== null &&
        currency !== null &&
        `Your price: ${money(compared_with.input_per_million, currency)} in, ${money(compared_with.output_per_million, currency)} out per 1M tokens, for ${compact(total.prompt_tokens)} tokens in and ${compact(total.completion_tokens)} out. `}
      {!hasTariff && <a href="#/settings">Set a price per kWh</a>}
    </p>
  );
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
