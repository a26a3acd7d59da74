/**
 * Settings of the stores: which ones are written to, and how they are reached.
 *
 * Parsed for the Worker and for the programs that make and check the stores.
 */
import { z } from "zod";
import { ExporterType } from "../../protocol/messages.ts";

export type ClickHouseSettings = { url: string; user: string; password: string; database: string };
export type PostgresSettings = {
  url: string /** Where SQL over HTTP is served, if it is not Neon's own address. */;
  fetchEndpoint: string | null;
};

export type StoreSettings = {
  exporterType: ExporterType;
  /** The pause between two flushes. */
  exportIntervalMs: number;
  /** Null unless it is written to. */
  clickhouse: ClickHouseSettings | null;
  postgres: PostgresSettings | null;
};

const urlOf = (protocols: RegExp, example: string) =>
  z
    .string()
    .refine((text) => URL.canParse(text), "is not a URL")
    .refine(
      (text) => !URL.canParse(text) || protocols.test(new URL(text).protocol),
      `is not of the form ${example}`,
    );

const http = urlOf(/^https?:$/, "https://host:port");

/** An identifier that needs no quoting. */
const name = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "is not a name of letters, digits and _");

export const STORE_VARIABLES = {
  EXPORTER_TYPE: z
    .enum(ExporterType.options, { error: "is none, clickhouse, postgres or both" })
    .default("none"),
  METRICS_EXPORT_INTERVAL: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, "is whole seconds from 1 to 99999")
    .transform(Number)
    .default(5),
  CLICKHOUSE_URL: http
    .refine(
      (text) => !URL.canParse(text) || !/[^/]/.test(afterHost(text)),
      "has more than a host and a port: the rest has variables of its own",
    )
    .optional(),
  CLICKHOUSE_USER: z.string().default("default"),
  CLICKHOUSE_PASSWORD: z.string().default(""),
  CLICKHOUSE_DATABASE: name.default("ollama_metrics"),
  DATABASE_URL: urlOf(/^postgres(ql)?:$/, "postgresql://user:password@host/database")
    .refine(
      (text) => !URL.canParse(text) || hasAll(new URL(text)),
      "lacks one of user, password, host and database",
    )
    .optional(),
  NEON_FETCH_ENDPOINT: http.optional(),
};

const Variables = z.object(STORE_VARIABLES);
type Variables = z.infer<typeof Variables>;

/** What is wrong with the variables together. */
export function checkTogether(
  variables: Pick<Variables, "EXPORTER_TYPE" | "CLICKHOUSE_URL" | "DATABASE_URL">,
  context: z.RefinementCtx,
): void {
  const { EXPORTER_TYPE: type, CLICKHOUSE_URL, DATABASE_URL } = variables;
  const missing = (variable: string) =>
    context.addIssue({
      code: "custom",
      path: [variable],
      message: `is not set, and EXPORTER_TYPE is ${type}`,
    });
  if (writes(type, "clickhouse") && CLICKHOUSE_URL === undefined) missing("CLICKHOUSE_URL");
  if (writes(type, "postgres") && DATABASE_URL === undefined) missing("DATABASE_URL");
}

/** The variables alone, for a program. @throws {z.ZodError} */
export const storeSettingsOf = (environment: Record<string, unknown>): StoreSettings =>
  storeSettings(Variables.superRefine(checkTogether).parse(environment));

export const storeSettings = (variables: Variables): StoreSettings => ({
  exporterType: variables.EXPORTER_TYPE,
  exportIntervalMs: variables.METRICS_EXPORT_INTERVAL * 1_000,
  clickhouse:
    variables.CLICKHOUSE_URL !== undefined && writes(variables.EXPORTER_TYPE, "clickhouse")
      ? {
          url: variables.CLICKHOUSE_URL,
          user: variables.CLICKHOUSE_USER,
          password: variables.CLICKHOUSE_PASSWORD,
          database: variables.CLICKHOUSE_DATABASE,
        }
      : null,
  postgres:
    variables.DATABASE_URL !== undefined && writes(variables.EXPORTER_TYPE, "postgres")
      ? { url: variables.DATABASE_URL, fetchEndpoint: variables.NEON_FETCH_ENDPOINT ?? null }
      : null,
});

const writes = (type: ExporterType, store: "clickhouse" | "postgres"): boolean =>
  type === store || type === "both";

const afterHost = (text: string): string => {
  const { username, password, pathname, search, hash } = new URL(text);
  return username + password + pathname + search + hash;
};

const hasAll = ({ username, password, hostname, pathname }: URL): boolean =>
  [username, password, hostname, pathname.slice(1)].every((part) => part !== "");
