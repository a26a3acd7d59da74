import { expect, test } from "vitest";
import * as format from "../../../../dashboard/shape/format.ts";

const plain = (text: string) => text.replaceAll("\u202f", " ");

const CASES: [value: string, text: string, expected: string][] = [
  ["an unknown count", format.count(null), "–"],
  ["a count", format.count(1_234_567), "1,234,567"],
  ["a small compact count", format.compact(9_999), "9,999"],
  ["a large compact count", format.compact(1_254_321), "1.25 M"],
  ["a compact count of ten thousand", format.compact(10_000), "10 k"],
  ["a rate", format.percent(0.0417), "4.17 %"],
  ["a whole rate", format.percent(1), "100 %"],
  ["an unknown rate", format.percent(null), "–"],
  ["a rate of 0", format.percent(0), "0 %"],
  ["a sub-millisecond duration", format.duration(0.42), "0.42 ms"],
  ["a duration in milliseconds", format.duration(345.6), "346 ms"],
  ["a duration that rounds to less than a second", format.duration(999.4), "999 ms"],
  ["a duration that rounds to a second", format.duration(999.6), "1 s"],
  ["a duration in seconds", format.duration(1_250), "1.25 s"],
  ["a duration just under a minute", format.duration(59_949), "59.9 s"],
  ["a duration that rounds to a minute", format.duration(59_960), "1 min"],
  ["a duration in minutes", format.duration(125_000), "2 min 5 s"],
  ["a duration in whole hours", format.duration(7_200_000), "2 h"],
  ["a duration in days", format.duration(183_600_000), "2 d 3 h"],
  ["an elapsed time that has just begun", format.elapsed(-300), "1 s"],
  ["an elapsed time", format.elapsed(5_910), "5 s"],
  ["an age of less than a second", format.age(900), "now"],
  ["an age", format.age(61_400), "1 min 1 s ago"],
  ["a few bytes", format.bytes(512, "binary"), "512 B"],
  ["binary bytes", format.bytes(8 * 1_024 ** 3, "binary"), "8 GiB"],
  ["decimal bytes", format.bytes(2_020_000_000, "decimal"), "2.02 GB"],
  ["MiB from nvidia-smi", format.mib(24_564, "binary"), "24 GiB"],
  ["unknown bytes", format.bytes(null, "binary"), "–"],
  ["degrees Celsius", format.temperature(83.4, "celsius"), "83 °C"],
  ["degrees Fahrenheit", format.temperature(100, "fahrenheit"), "212 °F"],
  ["the energy of a request", format.energy(92.4), "25.7 mWh"],
  ["the energy of an hour", format.energy(7_200), "2 Wh"],
  ["the energy of a day", format.energy(7_200_000), "2 kWh"],
  ["an unknown energy", format.energy(null), "–"],
  ["an amount of money", format.money(3.5, "EUR"), "€3.50"],
  ["a fraction of a cent", format.money(0.0123, "USD"), "$0.0123"],
  ["the cost of a request", format.money(0.0000083, "EUR"), "€0.0000083"],
  ["an amount of 0", format.money(0, "EUR"), "€0.00"],
];

test.each(CASES)("formats %s as %s", (_value, text, expected) =>
  expect(plain(text)).toBe(expected),
);

test("formats a time in the viewer's zone, with the date unless it is today", () => {
  const now = Date.parse("2026-11-24T23:30:00Z");
  expect(format.moment("2026-11-24T22:05:09.000Z", now, "UTC")).toBe("22:05:09");
  expect(format.moment("2026-11-24T22:05:09.000Z", now, "Asia/Tokyo")).toBe("07:05:09");
  expect(format.moment("2026-11-20T22:05:09.000Z", now, "America/New_York")).toBe(
    "20 Nov, 17:05:09",
  );
});
