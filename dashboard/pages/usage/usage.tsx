/**
 * Usage & energy: tokens, energy, money and CO2 over time, by model, box or key, with the part that was
 * unused, beside a price to compare with. Somebody who may not see the requests of others sees their own.
 */
import type { CostRow } from "../../../protocol/api/costs.ts";
import { COST_PERIODS } from "../../../protocol/cost-periods.ts";
import { minuteMs } from "../../data/clock.ts";
import { useFirstOrder } from "../../data/held.ts";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { changeScope, scope } from "../../data/scope.ts";
import { hasScope } from "../../data/self.ts";
import { Choice, Empty, FailureNote, Skeleton } from "../../parts/basics.tsx";
import { CALENDAR_TIMES } from "../../shape/calendar.ts";
import { coverageNote } from "../../shape/costs.ts";
import { periodCompared, periodOf } from "../../shape/scope.ts";
import { timeShown } from "../../shape/scope-text.ts";
import { mostText, USAGE_GROUPS, usageQuery, usualLength } from "../../shape/usage.ts";
import { UsageCards } from "./cards.tsx";
import { UsageChart } from "./chart.tsx";
import { UsageExport } from "./export.tsx";
import { PriceFields } from "./price.tsx";
import { UsageTable } from "./table.tsx";

const EVERY_MS = 60_000;
/** The questions of a week, and of the end of a month. */
const QUICK = ["Today", "This week", "This month", "Last month"] as const;
const GROUP_NAMES = { model: "Model", box: "Box", key: "Key" } as const;
const LENGTH_NAMES = { day: "Days", week: "Weeks", month: "Months" } as const;

const groupOf = ({ group }: CostRow) => group ?? "";

export function UsagePage() {
  const isOwn = !hasScope("stats");
  const { query } = place.value;
  const shown = timeShown(scope.value, CALENDAR_TIMES["This month"](minuteMs.value));
  const period = periodOf(shown, minuteMs.value, 0);
  const groups = isOwn ? (["model", "box"] as const) : USAGE_GROUPS;
  const by = groups.find((each) => each === query.by) ?? "model";
  const length = COST_PERIODS.find((each) => each === query.over) ?? usualLength(period);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const path = isOwn ? "/api/costs/self" : "/api/costs";
  const wanted = { ...usageQuery(scope.value, period, zone), by, over: length };
  const { data: ranked, error, refetch, isLoading } = useQuery(path, { query: wanted }, EVERY_MS);
  // Ranked once for each question: rows that overtake each other would move under the reader.
  const question = JSON.stringify([path, by, scope.value]);
  const rows = useFirstOrder(isLoading ? null : question, ranked?.rows ?? [], groupOf);
  const data = ranked && { ...ranked, rows };
  const { compare } = scope.value;
  const earlier = useQuery(
    path,
    { query: usageQuery(scope.value, periodCompared(period, compare ?? "previous"), zone) },
    EVERY_MS,
    compare !== null,
  );
  const { comparedPrice } = preferences.value;
  const fromEdge = data?.compared_with ?? null;
  const price =
    comparedPrice ??
    (fromEdge && { input: fromEdge.input_per_million, output: fromEdge.output_per_million });
  const choose = (change: Record<string, string>) => replaceQuery("usage", { ...query, ...change });
  const quick = QUICK.find((name) => {
    const time = CALENDAR_TIMES[name](minuteMs.value);
    return time.fromMs === shown.fromMs && time.untilMs === shown.untilMs;
  });
  return (
    <>
      <div class="usage-bar">
        <Choice
          label="Period"
          options={QUICK.map((name) => ({ value: name, name }))}
          chosen={quick ?? ("" as (typeof QUICK)[number])}
          choose={(name) => changeScope(CALENDAR_TIMES[name](minuteMs.value))}
        />
        <Choice
          label="Divided by"
          options={groups.map((value) => ({ value, name: GROUP_NAMES[value] }))}
          chosen={by}
          choose={(value) => choose({ by: value })}
        />
        <UsageExport path={path} query={wanted} />
      </div>
      {error !== null && (
        <FailureNote title="Could not load the usage." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={4} tall />
      ) : (
        <div class={isLoading ? "usage-page loading" : "usage-page"}>
          <UsageCards
            costs={data}
            price={price}
            before={compare === null ? null : (earlier.data?.total ?? null)}
          />
          {data.rows.length === 0 ? (
            <Empty title="No energy or requests in this period" />
          ) : (
            <>
              <p class="usage-most">{ranked && mostText(ranked)}</p>
              <UsageChart costs={data} by={by} length={length}>
                <Choice
                  label="Bars"
                  options={COST_PERIODS.map((value) => ({ value, name: LENGTH_NAMES[value] }))}
                  chosen={length}
                  choose={(value) => choose({ over: value })}
                />
              </UsageChart>
              <UsageTable costs={data} by={by} price={price} isOwn={isOwn} />
            </>
          )}
          <PriceFields currency={data.currency} price={price} />
          <p class="footnote">
            Unused energy was drawn while no request was open; models in memory share it equally.
            {isOwn && " It belongs to nobody, so yours is that of your requests."} Energy of the GPU
            boards, in whole hours. {coverageNote(data.total)}
          </p>
        </div>
      )}
    </>
  );
}
