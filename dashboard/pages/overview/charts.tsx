/** The seed's four charts, from real percentiles, over 5 minutes to 90 days; to a year where a store keeps one. */
import { useMemo } from "preact/hooks";
import { place, stay } from "../../data/place.ts";
import { prefer, preferences } from "../../data/preferences.ts";
import { useRead } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { Chart } from "../../parts/chart.tsx";
import { duration, short, tokenRate } from "../../shape/format.ts";
import {
  columnsOf,
  everyMsOf,
  GRANULARITY,
  RANGE_NAMES,
  RANGES,
  type Range,
  rangesOffered,
} from "../../shape/history.ts";

export function Charts({ hasStore }: { hasStore: boolean }) {
  // What a link says, or else what was chosen last.
  const range = RANGES.find((each) => each === place.value.query.range) ?? preferences.value.range;
  const choose = (chosen: Range) => {
    prefer({ range: chosen });
    stay("overview", { range: chosen });
  };
  const asked = { query: { time_range: range, granularity: GRANULARITY[range].name } };
  const { data, error, isLoading, refetch } = useRead(
    "/api/stats/history",
    asked,
    everyMsOf(range),
  );
  const columns = useMemo(() => (data === null ? null : columnsOf(data.metrics)), [data]);
  const options = rangesOffered(hasStore, range).map((value) => ({ value, name: value }));
  const choice = (
    <Choice label="Range of the charts" options={options} chosen={range} choose={choose} />
  );
  return (
    <Section title={`Last ${RANGE_NAMES[range]}`} aside={choice}>
      {error !== null && (
        <FailureNote what="The history could not be read." why={error} again={refetch} />
      )}
      {columns === null ? (
        error === null && <Skeleton lines={2} tall />
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
            nothing={
              columns.errorPercent.some((value) => value !== null)
                ? "No errors in this range"
                : "Nothing in this range"
            }
            lines={[{ name: "errors", values: columns.errorPercent, colour: "bad" }]}
          />
        </div>
      )}
    </Section>
  );
}
