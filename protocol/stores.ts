/** External stores and collectors by name, as the API, the settings and the metrics spell them. */
import * as z from "zod";

/** In this order the edge prefers them when it reads what its own ledger no longer holds. */
export const StoreName = z.enum(["clickhouse", "postgres"]);
export type StoreName = z.infer<typeof StoreName>;

/** Where the edge delivers records: the stores, and collectors of OpenTelemetry by signal. */
export const SinkName = z.enum([...StoreName.options, "otlp_traces", "otlp_metrics"]);
export type SinkName = z.infer<typeof SinkName>;
