/** The four charts of the overview, over 5 minutes to 90 days, or a year with an external store. */
import { useMemo } from "preact/hooks";
import { place, replaceQuery } from "../../data/place.ts";
import { preferences, setPreferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { Choice, FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
import { Chart } from "../../parts/chart.tsx";
import { duration, short, tokenRate } from "../../shape/format.ts";
import {
  bucketNote,
  columnsOf,
  everyMsOf,
  GRANULARITY,
  type HistoryColumns,
  type Line,
  RANGE_NAMES,
  RANGES,
  type Range,
  rangesOffered,
} from "../../shape/history.ts";

export function Charts({ hasStore }: { hasStore: boolean }) {
  // The range in the URL wins over the last one chosen.
  const range = RANGES.find((each) => each === place.value.query.range) ?? preferences.value.range;
  const choose = (chosen: Range) => {
    setPreferences({ range: chosen });
    replaceQuery("overview", { range: chosen });
  };
  const options = { query: { time_range: range, granularity: GRANULARITY[range].name } };
  const { data, error, isLoading, refetch } = useQuery(
    "/api/stats/history",
    options,
    everyMsOf(range),
  );
  const columns = useMemo(() => (data === null ? null : columnsOf(data, Date.now())), [data]);
  const lines = useMemo(() => (columns === null ? null : linesOf(columns)), [columns]);
  const isUnfinished = columns?.isUnfinished ?? false;
  const ranges = rangesOffered(hasStore, range).map((value) => ({ value, name: value }));
  const choice = <Choice label="Chart range" options={ranges} chosen={range} choose={choose} />;
  return (
    <Section title={`Last ${RANGE_NAMES[range]}`} aside={choice}>
      {error !== null && (
        <FailureNote title="Could not load the history." detail={error} retry={refetch} />
      )}
      {columns === null || lines === null ? (
        error === null && <Skeleton lines={2} tall />
      ) : (
        <div class={isLoading ? "charts loading" : "charts"}>
          <Chart
            title="Requests per minute"
            at={columns.at}
            isUnfinished={isUnfinished}
            format={short}
            isArea
            lines={lines.requests}
          />
          <Chart
            title="Tokens per second"
            at={columns.at}
            isUnfinished={isUnfinished}
            format={tokenRate}
            isArea
            lines={lines.tokens}
          />
          <Chart
            title="Latency"
            at={columns.at}
            isUnfinished={isUnfinished}
            format={duration}
            nothing="No inference requests in this range"
            lines={lines.latency}
          />
          <Chart
            title="Error rate"
            at={columns.at}
            isUnfinished={isUnfinished}
            format={(value) => `${short(value)}\u202f%`}
            isArea
            nothing="No requests in this range"
            lines={lines.errors}
          />
        </div>
      )}
      {columns !== null && (
        <p class="footnote">
          {bucketNote(columns.at, "The boxes below show their latest readings.")}
        </p>
      )}
    </Section>
  );
}

type Figure = "requests" | "tokens" | "latency" | "errors";

const linesOf = (columns: HistoryColumns): Record<Figure, Line[]> => ({
  requests: [{ name: "requests", values: columns.requests, colour: "one" }],
  tokens: [{ name: "tokens", values: columns.tokens, colour: "two" }],
  latency: [
    { name: "P50", values: columns.p50, colour: "one" },
    { name: "P95", values: columns.p95, colour: "two", width: 3.5 },
    { name: "P99", values: columns.p99, colour: "three", width: 6 },
  ],
  errors: [{ name: "errors", values: columns.errorPercent, colour: "bad" }],
});
