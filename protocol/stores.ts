/** External stores by name, as the API, the settings and the metrics spell them. */
import * as z from "zod";

/** In this order the edge prefers them when it reads what its own ledger no longer holds. */
export const StoreName = z.enum(["clickhouse", "postgres"]);
export type StoreName = z.infer<typeof StoreName>;
