/** The settings of Postgres. */
import * as z from "zod";
import {
  STORE_RETENTION_VARIABLES,
  type StoreRetention,
  storeRetentionOf,
} from "../../retention.ts";
import { httpUrl, urlWith } from "../store-definition.ts";

export type PostgresSettings = {
  url: string;
  /** The address that serves SQL over HTTP, unless it is Neon's own. */
  fetchEndpoint: string | null;
  retention: StoreRetention;
};

export const POSTGRES_VARIABLES = {
  DATABASE_URL: urlWith(/^postgres(ql)?:$/, "postgresql://user:password@host/database")
    .refine(
      (text) => !URL.canParse(text) || isComplete(new URL(text)),
      "lacks one of user, password, host and database",
    )
    .optional()
    .describe(
      "Postgres at Neon: `postgresql://user:password@host/database`. Required if `EXPORTER_TYPE` includes " +
        "Postgres",
    ),
  NEON_FETCH_ENDPOINT: httpUrl
    .optional()
    .describe("the URL of your own proxy that speaks Neon's SQL over HTTP"),
};
const Variables = z.object({ ...STORE_RETENTION_VARIABLES, ...POSTGRES_VARIABLES });

export const postgresSettings = (variables: z.infer<typeof Variables>): PostgresSettings | null =>
  variables.DATABASE_URL === undefined
    ? null
    : {
        url: variables.DATABASE_URL,
        fetchEndpoint: variables.NEON_FETCH_ENDPOINT ?? null,
        retention: storeRetentionOf(variables),
      };

const isComplete = ({ username, password, hostname, pathname }: URL): boolean =>
  [username, password, hostname, pathname.slice(1)].every((part) => part !== "");
