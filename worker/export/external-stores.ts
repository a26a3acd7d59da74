/**
 * The list of external stores. Another store is one folder, its name in `protocol/stores.ts`, and
 * one line here.
 */
import { StoreName } from "../../protocol/stores.ts";
import { CLICKHOUSE } from "./clickhouse/definition.ts";
import type { ExternalStore } from "./external-store.ts";
import { POSTGRES } from "./postgres/definition.ts";
import type { StoreDefinition } from "./store-definition.ts";

const BY_NAME = {
  clickhouse: CLICKHOUSE,
  postgres: POSTGRES,
} as const satisfies { [Name in StoreName]: { name: Name } };

type ByName = typeof BY_NAME;

/** In the order in which the edge prefers them for reading. */
export const EXTERNAL_STORES: readonly StoreDefinition[] = StoreName.options.map(
  (name) => BY_NAME[name],
);

/** The settings of each store; null if the store is not written to. */
export type ConfiguredStores = { [Name in StoreName]: ReturnType<ByName[Name]["settingsOf"]> };

type Variables = ByName[StoreName]["variables"];
type Merged<Union> = (Union extends unknown ? (part: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** The variables of every store. */
export const EXTERNAL_STORE_VARIABLES = Object.assign(
  {},
  ...EXTERNAL_STORES.map(({ variables }) => variables),
) as Merged<Variables>;

/** Returns the settings of the named stores that have an address. */
export const configuredStores = (
  names: readonly StoreName[],
  variables: Record<string, unknown>,
): ConfiguredStores =>
  Object.fromEntries(
    EXTERNAL_STORES.map((definition) => [
      definition.name,
      names.includes(definition.name) ? definition.settingsOf(variables) : null,
    ]),
  ) as ConfiguredStores;

export const openExternalStores = (configured: ConfiguredStores): ExternalStore[] =>
  EXTERNAL_STORES.flatMap((definition) => {
    const settings = configured[definition.name];
    return settings === null ? [] : [definition.open(settings)];
  });
