/** The four charts of the overview, over 5 minutes to 90 days, or a year with an external store. */
import { useMemo } from "preact/hooks";
import { preferences } from "../../data/preferences.ts";
import { useQuery } from "../../data/query.ts";
import { scope } from "../../data/scope.ts";
import { FailureNote, Section, Skeleton } from "../../parts/basics.tsx";
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
  rangeOfScope,
} from "../../shape/history.ts";

export function Charts() {
  const chosen = rangeOfScope(scope.value, preferences.value.range);
  const range = chosen ?? preferences.value.range;
  const options = {
    query: {
      time_range: range,
      granularity: GRANULARITY[range].name,
      box: scope.value.box ?? undefined,
      model: scope.value.model ?? undefined,
      key: scope.value.key ?? undefined,
    },
  };
  const { data, error, isLoading, refetch } = useQuery(
    "/api/stats/history",
    options,
    everyMsOf(range),
  );
  const columns = useMemo(() => (data === null ? null : columnsOf(data, Date.now())), [data]);
  const lines = useMemo(() => (columns === null ? null : linesOf(columns)), [columns]);
  const isUnfinished = columns?.isUnfinished ?? false;
  // Rates over any other time are above.
  if (chosen === null) return null;
  return (
    <Section title={`Last ${RANGE_NAMES[range]}`}>
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
          {bucketNote(columns.at, "The boxes above show their latest readings.")}
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
