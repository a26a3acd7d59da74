import { expect, test } from "vitest";
import {
  formOf,
  newRate,
  tariffBody,
  withMoreHours,
} from "../../../../dashboard/shape/tariff-form.ts";
import { pricesByHour, Tariff } from "../../../../protocol/tariff.ts";

const TARIFF = Tariff.parse({
  currency: "CHF",
  default: {
    time_zone: "Europe/Zurich",
    prices: [
      { from: 6, to: 22, price_per_kwh: 0.32 },
      { from: 22, to: 6, price_per_kwh: 0.18 },
    ],
    co2_g_per_kwh: 45,
  },
  boxes: { atlas: { prices: [{ from: 0, to: 24, price_per_kwh: 0 }] } },
  compared_with: { input_per_million: 0.5, output_per_million: 1.5 },
});

test("a tariff is the same after it was shown and saved", () => {
  expect(Tariff.parse(tariffBody(formOf(TARIFF, "UTC")))).toEqual(TARIFF);
});

test("an empty form is a tariff of which nothing is known", () => {
  const form = formOf(null, "Asia/Tokyo");
  expect(Tariff.parse(tariffBody(form))).toEqual({
    currency: "EUR",
    default: { time_zone: "Asia/Tokyo", prices: null, co2_g_per_kwh: null },
    boxes: {},
    compared_with: null,
  });
});

test("one price is the price of the whole day", () => {
  const form = formOf(null, "UTC");
  const rate = { ...newRate(null, "UTC"), hours: [{ from: "0", to: "24", price: "0.3" }] };
  const { default: saved } = Tariff.parse(tariffBody({ ...form, rates: [rate] }));
  expect(pricesByHour(saved)).toEqual(Array(24).fill(0.3));
});

test("hours that are added still cover the day once", () => {
  const rate = withMoreHours({
    ...newRate(null, "UTC"),
    hours: [{ from: "0", to: "24", price: "0.3" }],
  });
  expect(rate.hours).toEqual([
    { from: "6", to: "22", price: "0.3" },
    { from: "22", to: "6", price: "" },
  ]);
  const third = withMoreHours(rate);
  expect(third.hours.at(-1)).toEqual({ from: "6", to: "7", price: "" });
});
