import { expect, test } from "vitest";
import { CURRENCY_CODES } from "../../../protocol/currencies.ts";
import { pricesByHour, Tariff } from "../../../protocol/tariff.ts";

const tariffOf = (changes: object = {}, rate: object = {}) => ({
  currency: "EUR",
  default: { prices: [{ from: 0, to: 24, price_per_kwh: 0.3 }], ...rate },
  ...changes,
});
const hours = (...list: [from: number, to: number, price: number][]) =>
  list.map(([from, to, price_per_kwh]) => ({ from, to, price_per_kwh }));

test("fills in what a short tariff leaves out", () => {
  expect(Tariff.parse(tariffOf())).toEqual({
    currency: "EUR",
    default: { time_zone: "UTC", prices: hours([0, 24, 0.3]), co2_g_per_kwh: null },
    boxes: {},
    compared_with: null,
  });
});

test("gives each hour of the day its price, also past midnight", () => {
  const { default: rate } = Tariff.parse(
    tariffOf({}, { time_zone: "Europe/Berlin", prices: hours([6, 22, 0.4], [22, 6, 0.2]) }),
  );
  const byHour = pricesByHour(rate);
  expect(byHour?.slice(0, 6)).toEqual(Array(6).fill(0.2));
  expect(byHour?.slice(6, 22)).toEqual(Array(16).fill(0.4));
  expect(byHour?.slice(22)).toEqual([0.2, 0.2]);
});

test("knows each currency of the list once, and their symbols", () => {
  expect(new Set(CURRENCY_CODES).size).toBe(CURRENCY_CODES.length);
  for (const currency of CURRENCY_CODES)
    expect(() => new Intl.NumberFormat("en", { style: "currency", currency })).not.toThrow();
});

test.each([
  ["a negative price", tariffOf({}, { prices: hours([0, 24, -0.1]) }), /must be 0 or more/],
  ["a price that is not a number", tariffOf({}, { prices: hours([0, 24, Number.NaN]) }), /number/],
  ["an unknown currency", tariffOf({ currency: "EURO" }), /"EURO" is not a currency of ISO 4217/],
  ["a currency in lower case", tariffOf({ currency: "eur" }), /"eur" is not a currency/],
  ["a former currency", tariffOf({ currency: "DEM" }), /"DEM" is not a currency/],
  [
    "hours that overlap",
    tariffOf({}, { prices: hours([0, 10, 1], [8, 24, 2]) }),
    /more than one price: 8, 9$/,
  ],
  [
    "hours with a gap",
    tariffOf({}, { prices: hours([0, 8, 1], [9, 24, 2]) }),
    /without a price: 8$/,
  ],
  [
    "hours that overlap past midnight",
    tariffOf({}, { prices: hours([22, 7, 1], [6, 22, 2]) }),
    /more than one price: 6$/,
  ],
  ["no hours", tariffOf({}, { prices: [] }), /must cover the day/],
  ["an hour of no length", tariffOf({}, { prices: hours([5, 5, 1]) }), /from and to must differ/],
  ["half an hour", tariffOf({}, { prices: hours([0, 8.5, 1], [8.5, 24, 2]) }), /int/],
  ["an hour that no day has", tariffOf({}, { prices: hours([0, 25, 1]) }), /24/],
  ["an unknown time zone", tariffOf({}, { time_zone: "Berlin" }), /"Berlin" is not a time zone/],
  ["negative CO2", tariffOf({}, { co2_g_per_kwh: -1 }), /must be 0 or more/],
  ["an invalid box name", tariffOf({ boxes: { "-": tariffOf().default } }), /boxes.-/],
  [
    "a negative price to compare with",
    tariffOf({ compared_with: { input_per_million: -1, output_per_million: 1 } }),
    /0 or more/,
  ],
  ["an unknown field", tariffOf({ price: 1 }), /price/],
  ["no price at all", { currency: "EUR", default: {} }, /default.prices/],
])("refuses a tariff with %s", (_name, tariff, reason) => {
  const { error } = Tariff.safeParse(tariff);
  const text = error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n");
  expect(text).toMatch(new RegExp(reason.source, "m"));
});
