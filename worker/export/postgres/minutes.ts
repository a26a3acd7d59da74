/**
 * Sums of requests by minute in Postgres, as the Aggregator and ClickHouse have them. They are kept
 * longer than the requests, and survive when these are cleared.
 *
 * Percentiles come from the bins of the edge's own sketch and have its accuracy. A minute stores
 * the
 * bin of each of its requests, two bytes each. Merging minutes is concatenating these arrays, which
 * needs no extension; the bins are counted when they are read.
 */
import * as z from "zod";
import type { StoredRequest } from "../../../protocol/columns.ts";
import { BIN_MAX, BIN_MIN, BINS_PER_POWER, valueOfBin, ZERO_MAX } from "../../counting/sketch.ts";
import { Bucket } from "../buckets.ts";

/** Failed requests end early, so their duration is not a latency. */
const HAS_LATENCY = "is_inference AND status = 'success'";

/** The bin of values that a sketch counts as zero. */
const ZERO_BIN = BIN_MIN - 1;

const binOf = (column: string): string => `(CASE WHEN ${column} <= ${ZERO_MAX} THEN ${ZERO_BIN}
  ELSE least(${BIN_MAX}, greatest(${BIN_MIN},
    ceil(ln(${column}) / ln(2::double precision) * ${BINS_PER_POWER}))) END)::smallint`;

const binsOf = (column: string, condition: string): string =>
  `coalesce(array_agg(${binOf(column)}) FILTER (WHERE ${condition}), '{}')`;

const SUMS: readonly [column: string, sum: string][] = [
  ["successes", "count(*) FILTER (WHERE status = 'success')"],
  ["errors", "count(*) FILTER (WHERE status = 'error')"],
  ["cancelled", "count(*) FILTER (WHERE status = 'cancelled')"],
  ["resumes", "sum(resumed)"],
  ["prompt_tokens", "coalesce(sum(prompt_tokens) FILTER (WHERE is_inference), 0)"],
  ["completion_tokens", "coalesce(sum(completion_tokens) FILTER (WHERE is_inference), 0)"],
  ["latency_count", `count(*) FILTER (WHERE ${HAS_LATENCY})`],
  ["latency_ms_sum", `coalesce(sum(latency_ms) FILTER (WHERE ${HAS_LATENCY}), 0)`],
  ["energy_j", "coalesce(sum(energy_j) FILTER (WHERE is_inference), 0)"],
  ["cost", "coalesce(sum(cost) FILTER (WHERE is_inference), 0)"],
  ["co2_g", "coalesce(sum(co2_g) FILTER (WHERE is_inference), 0)"],
];
const BINS: readonly [column: string, bins: string][] = [
  ["latency_bins", binsOf("latency_ms", HAS_LATENCY)],
  ["ttft_bins", binsOf("ttft_ms", "is_inference AND ttft_ms IS NOT NULL")],
];

/** The columns of a request that the sums need. */
const SUMMED_COLUMNS: readonly (keyof StoredRequest)[] = [
  "finished_at",
  "model",
  "box",
  "status",
  "resumed",
  "is_inference",
  "prompt_tokens",
  "completion_tokens",
  "latency_ms",
  "ttft_ms",
  "energy_j",
  "cost",
  "co2_g",
];
export const SUMMED = SUMMED_COLUMNS.join(", ");

/**
 * Returns the statement that adds requests to the sums of their minutes.
 * @param requests  a table, or a part of the same statement, with the columns {@link SUMMED}
 */
export const addMinutesOf = (requests: string): string => {
  const columns = [...SUMS, ...BINS];
  const set = [
    ...SUMS.map(([column]) => `${column} = sums.${column} + excluded.${column}`),
    ...BINS.map(([column]) => `${column} = sums.${column} || excluded.${column}`),
  ];
  return `INSERT INTO request_minutes AS sums (minute, model, box, ${columns.map(([column]) => column).join(", ")})
    ${minutesSelect(requests)} ORDER BY 1, 2, 3
    ON CONFLICT (minute, model, box) DO UPDATE SET ${set.join(", ")}`;
};

/** @param requests  a table, and the condition for its rows */
const minutesSelect = (requests: string): string =>
  `SELECT date_trunc('minute', finished_at, 'UTC') AS minute, coalesce(model, '') AS model, coalesce(box, '') AS box,
      ${[...SUMS, ...BINS].map(([column, sum]) => `${sum} AS ${column}`).join(",\n      ")}
    FROM ${requests} GROUP BY 1, 2, 3`;

const ranks = (of: string) =>
  [0.5, 0.95, 0.99]
    .map(
      (q) =>
        `min(bin) FILTER (WHERE upto >= ${q} * total AND figure = '${of}') AS ${of}_p${q * 100}`,
    )
    .join(", ");

/**
 * Parameters: start, end and step in unix seconds, models, box, and when the metrics were cleared.
 */
const minutesByBucket = (minutes: string): string => `WITH minutes AS (
    SELECT floor((extract(epoch FROM minute) - $1::double precision) / $3::double precision) AS bucket,
      * FROM ${minutes}
    WHERE minute >= to_timestamp($1::double precision) AND minute < to_timestamp($2::double precision)
      AND ($4::text[] IS NULL OR model = ANY ($4)) AND ($5::text IS NULL OR box = $5)
      -- The minute in which the metrics were cleared is left out: it mixes figures from before and after.
      AND ($6::timestamptz IS NULL OR minute > $6)
  ), sums AS (
    SELECT bucket, ${SUMS.map(([column]) => `sum(${column}) AS ${column}`).join(", ")} FROM minutes GROUP BY bucket
  ), bins AS (
    SELECT bucket, figure, bin, count(*) AS n FROM (
      SELECT bucket, 'latency' AS figure, unnest(latency_bins) AS bin FROM minutes
      UNION ALL SELECT bucket, 'ttft' AS figure, unnest(ttft_bins) AS bin FROM minutes
    ) AS each GROUP BY bucket, figure, bin
  ), ranked AS (
    SELECT bucket, figure, bin, sum(n) OVER (PARTITION BY bucket, figure ORDER BY bin) AS upto,
      sum(n) OVER (PARTITION BY bucket, figure) AS total FROM bins
  ), percentiles AS (
    SELECT bucket, ${ranks("latency")}, ${ranks("ttft")} FROM ranked GROUP BY bucket
  )
  SELECT to_json(summed) AS json FROM (SELECT * FROM sums LEFT JOIN percentiles USING (bucket)) AS summed`;

export const MINUTES_BY_BUCKET = minutesByBucket("request_minutes");

/** The same from the requests of a key, which is one parameter more. */
export const KEY_BY_BUCKET = minutesByBucket(
  `(${minutesSelect(`request_logs WHERE key_id = $7
      AND finished_at >= to_timestamp($1::double precision)
      AND finished_at < to_timestamp($2::double precision)`)}) AS of_key`,
);

const bin = z.number().nullable();
const figureOf = (found: number | null): number | null =>
  found === null ? null : found === ZERO_BIN ? 0 : valueOfBin(found);

export const MinuteBucket = Bucket.omit({
  latency_p50_ms: true,
  latency_p95_ms: true,
  latency_p99_ms: true,
  ttft_p50_ms: true,
  ttft_p95_ms: true,
})
  .extend({ latency_p50: bin, latency_p95: bin, latency_p99: bin, ttft_p50: bin, ttft_p95: bin })
  .transform(
    ({ latency_p50, latency_p95, latency_p99, ttft_p50, ttft_p95, ...sums }): Bucket => ({
      ...sums,
      latency_p50_ms: figureOf(latency_p50),
      latency_p95_ms: figureOf(latency_p95),
      latency_p99_ms: figureOf(latency_p99),
      ttft_p50_ms: figureOf(ttft_p50),
      ttft_p95_ms: figureOf(ttft_p95),
    }),
  );
