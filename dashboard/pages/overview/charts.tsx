/** The seed's four charts, from real percentiles, over 5 minutes to 90 days. */
import { useMemo } from "preact/hooks";
import { prefer, preferences, RANGES } from "../../data/preferences.ts";
import { useRead } from "../../data/query.ts";
import { Choice, Failure, Section, Skeleton } from "../../parts/basics.tsx";
import { Chart } from "../../parts/chart.tsx";
import { duration, short, tokenRate } from "../../shape/format.ts";
import { columnsOf, everyMsOf, GRANULARITY, RANGE_NAMES } from "../../shape/history.ts";

const OPTIONS = RANGES.map((range) => ({ value: range, name: range }));

export function Charts() {
  const { range } = preferences.value;
  const asked = { query: { time_range: range, granularity: GRANULARITY[range].name } };
  const { data, error, isLoading, refetch } = useRead("/api/stats/history", asked, everyMsOf(range));
  const columns = useMemo(() => (data === null ? null : columnsOf(data.metrics)), [data]);
  const choice = <Choice label="Range of the charts" options={OPTIONS} chosen={range} choose={(chosen) => prefer({ range: chosen })} />;
  return (
    <Section title={`Last ${RANGE_NAMES[range]}`} aside={choice}>
      {error !== null && <Failure what="The history could not be read." why={error} again={refetch} />}
      {columns === null ? (
        <Skeleton lines={2} tall />
      ) : (
        <div class={isLoading ? "charts loading" : "charts"}>
          <Chart
            title="Requests per Minute"
            at={columns.at}
            format={short}
            isArea
            lines={[{ name: "requests", values: columns.requests, colour: "one" }]}
          />
          <Chart
            title="Tokens per Second"
            at={columns.at}
            format={tokenRate}
            isArea
            lines={[{ name: "tokens", values: columns.tokens, colour: "two" }]}
          />
          <Chart
            title="Latency"
            at={columns.at}
            format={duration}
            nothing="No inference call in this range"
            lines={[
              { name: "P50", values: columns.p50, colour: "one" },
              { name: "P95", values: columns.p95, colour: "two" },
              { name: "P99", values: columns.p99, colour: "three" },
            ]}
          />
          <Chart
            title="Error Rate"
            at={columns.at}
            format={(value) => `${short(value)}\u202f%`}
            isArea
            nothing={columns.errorPercent.some((value) => value !== null) ? "No errors in this range" : "Nothing in this range"}
            lines={[{ name: "errors", values: columns.errorPercent, colour: "bad" }]}
          />
        </div>
      )}
    </Section>
  );
}
