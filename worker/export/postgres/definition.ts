/** Postgres in the list of external stores. */
import type { StoreDefinition } from "../store-definition.ts";
import { PostgresStore } from "./postgres.ts";
import { POSTGRES_VARIABLES, postgresSettings } from "./settings.ts";

export const POSTGRES = {
  name: "postgres",
  variables: POSTGRES_VARIABLES,
  addressVariable: "DATABASE_URL",
  settingsOf: postgresSettings,
  open: (settings) => new PostgresStore(settings),
} as const satisfies StoreDefinition<
  Parameters<typeof postgresSettings>[0],
  NonNullable<ReturnType<typeof postgresSettings>>
>;
