/** The settings of ClickHouse. */
import * as z from "zod";
import {
  STORE_RETENTION_VARIABLES,
  type StoreRetention,
  storeRetentionOf,
} from "../../retention.ts";
import { httpUrl } from "../store-definition.ts";

export type ClickHouseSettings = {
  url: string;
  user: string;
  password: string;
  database: string;
  retention: StoreRetention;
};

/** An identifier that needs no quoting. */
const identifier = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "is not a name made of letters, digits and _");

export const CLICKHOUSE_VARIABLES = {
  CLICKHOUSE_URL: httpUrl
    .refine(
      (text) => !URL.canParse(text) || !/[^/]/.test(afterHost(text)),
      "must contain only a host and a port: user, password and database have their own variables",
    )
    .optional()
    .describe(
      "scheme, host and port of ClickHouse's HTTP interface, nothing else. Required if `EXPORTER_TYPE` " +
        "includes ClickHouse",
    ),
  CLICKHOUSE_USER: z.string().default("default").describe("the user in ClickHouse"),
  CLICKHOUSE_PASSWORD: z.string().default("").describe("the password of that user"),
  CLICKHOUSE_DATABASE: identifier.default("ollama_metrics").describe("the database in ClickHouse"),
};
const Variables = z.object({ ...STORE_RETENTION_VARIABLES, ...CLICKHOUSE_VARIABLES });

export const clickHouseSettings = (
  variables: z.infer<typeof Variables>,
): ClickHouseSettings | null =>
  variables.CLICKHOUSE_URL === undefined
    ? null
    : {
        url: variables.CLICKHOUSE_URL,
        user: variables.CLICKHOUSE_USER,
        password: variables.CLICKHOUSE_PASSWORD,
        database: variables.CLICKHOUSE_DATABASE,
        retention: storeRetentionOf(variables),
      };

const afterHost = (text: string): string => {
  const { username, password, pathname, search, hash } = new URL(text);
  return username + password + pathname + search + hash;
};
