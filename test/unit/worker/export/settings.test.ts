import { expect, test } from "vitest";
import { StoreName } from "../../../../protocol/stores.ts";
import { EXTERNAL_STORES, openExternalStores } from "../../../../worker/export/external-stores.ts";
import {
  addressedStoresOf,
  STORE_VARIABLES,
  storeSettingsOf,
} from "../../../../worker/export/settings.ts";

const ADDRESSES = {
  CLICKHOUSE_URL: "https://ch.example:8443",
  DATABASE_URL: "postgres://user:pw@pg.example/db",
};
const namesOf = (configured: ReturnType<typeof addressedStoresOf>) =>
  openExternalStores(configured).map(({ name }) => name);

test("the list has every named store, each with its variables among the settings", () => {
  expect(EXTERNAL_STORES.map(({ name }) => name)).toEqual(StoreName.options);
  for (const { variables, addressVariable } of EXTERNAL_STORES) {
    expect(Object.keys(variables)).toContain(addressVariable);
    expect(STORE_VARIABLES).toMatchObject(variables);
  }
});

test.each([
  ["none", []],
  ["clickhouse", ["clickhouse"]],
  ["postgres", ["postgres"]],
  ["both", ["clickhouse", "postgres"]],
])("EXPORTER_TYPE %s opens the stores %j", (EXPORTER_TYPE, names) => {
  expect(namesOf(storeSettingsOf({ ...ADDRESSES, EXPORTER_TYPE }).configured)).toEqual(names);
});

test.each([
  [{}, []],
  [{ DATABASE_URL: ADDRESSES.DATABASE_URL }, ["postgres"]],
  [ADDRESSES, ["clickhouse", "postgres"]],
])("without EXPORTER_TYPE a program opens every store with an address: %j", (variables, names) => {
  expect(namesOf(addressedStoresOf(variables))).toEqual(names);
});

test("a store that is to be written to needs an address", () => {
  const { CLICKHOUSE_URL } = ADDRESSES;
  expect(() => storeSettingsOf({ CLICKHOUSE_URL, EXPORTER_TYPE: "both" })).toThrow(
    /DATABASE_URL[\s\S]*is not set, but EXPORTER_TYPE is both|is not set, but EXPORTER_TYPE is both[\s\S]*DATABASE_URL/,
  );
});

test("an unknown exporter type is rejected with the possible values", () => {
  expect(() => storeSettingsOf({ EXPORTER_TYPE: "kafka" })).toThrow(
    'must be \\"none\\", \\"clickhouse\\", \\"postgres\\" or \\"both\\"',
  );
});
