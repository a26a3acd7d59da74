/**
 * Settings of the external stores and collectors: which ones the edge writes to, and how it reaches them.
 *
 * Parsed both for the Worker and for the programs that create and check the stores.
 */
import * as z from "zod";
import { ExporterType } from "../../protocol/messages.ts";
import type { StoreName } from "../../protocol/stores.ts";
import { STORE_RETENTION_VARIABLES } from "../retention.ts";
import {
  type ConfiguredStores,
  configuredStores,
  EXTERNAL_STORE_VARIABLES,
  EXTERNAL_STORES,
} from "./external-stores.ts";

import { OTLP_VARIABLES, type OtlpSettings, otlpSettings } from "./otlp/settings.ts";

export type StoreSettings = {
  /** As deployed. The list of stores follows from it. */
  exporterType: ExporterType;
  /** The pause between two deliveries. */
  exportIntervalMs: number;
  configured: ConfiguredStores;
  otlp: OtlpSettings;
};

export const STORE_VARIABLES = {
  EXPORTER_TYPE: z
    .enum(ExporterType.options, {
      error: `must be ${ExporterType.options.map((option) => `"${option}"`).join(", ")}`.replace(
        /, (?=[^,]*$)/,
        " or ",
      ),
    })
    .default("none")
    .describe(
      "the [external stores](stores.md) that the edge writes to: `none`, `clickhouse`, `postgres` or `both`",
    ),
  METRICS_EXPORT_INTERVAL: z
    .string()
    .regex(/^[1-9]\d{0,4}$/, "must be a whole number of seconds from 1 to 99999")
    .transform(Number)
    .default(5)
    .describe(
      "seconds between two deliveries to the external stores and collectors. A longer interval lets them sleep between " +
        "requests",
    ),
  ...STORE_RETENTION_VARIABLES,
  ...EXTERNAL_STORE_VARIABLES,
  ...OTLP_VARIABLES,
};

const Variables = z.object(STORE_VARIABLES);
type Variables = z.infer<typeof Variables>;

/** Reports each store that is to be written to but has no address. */
export function checkTogether(
  variables: Pick<Variables, "EXPORTER_TYPE"> & Record<string, unknown>,
  context: z.RefinementCtx,
): void {
  const { EXPORTER_TYPE: type } = variables;
  const names = storesNamedBy(type);
  for (const { name, addressVariable } of EXTERNAL_STORES)
    if (names.includes(name) && variables[addressVariable] === undefined)
      context.addIssue({
        code: "custom",
        path: [addressVariable],
        message: `is not set, but EXPORTER_TYPE is ${type}`,
      });
}

/** Parses the variables for a program. @throws {z.ZodError} */
export const storeSettingsOf = (environment: Record<string, unknown>): StoreSettings =>
  storeSettings(Variables.superRefine(checkTogether).parse(environment));

/**
 * Parses the variables and takes every store that has an address, whatever EXPORTER_TYPE is.
 * @throws {z.ZodError}
 */
export const addressedStoresOf = (environment: Record<string, unknown>): ConfiguredStores =>
  configuredStores(
    EXTERNAL_STORES.map(({ name }) => name),
    Variables.parse(environment),
  );

export const storeSettings = (variables: Variables): StoreSettings => ({
  exporterType: variables.EXPORTER_TYPE,
  exportIntervalMs: variables.METRICS_EXPORT_INTERVAL * 1_000,
  configured: configuredStores(storesNamedBy(variables.EXPORTER_TYPE), variables),
  otlp: otlpSettings(variables),
});

/** Reads the seed's spelling of the list: "both" is the two stores that the seed has. */
function storesNamedBy(type: ExporterType): readonly StoreName[] {
  if (type === "none") return [];
  return type === "both" ? ["clickhouse", "postgres"] : [type];
}
