import { expect, test } from "vitest";
import * as format from "../../../dashboard/shape/format.ts";

const plain = (text: string) => text.replaceAll("\u202f", " ");

const SAID: [what: string, said: string, is: string][] = [
  ["nothing known", format.count(null), "–"],
  ["a count", format.count(1_234_567), "1,234,567"],
  ["a small count in little room", format.compact(9_999), "9,999"],
  ["a large one", format.compact(1_254_321), "1.25 M"],
  ["ten thousand", format.compact(10_000), "10 k"],
  ["a rate", format.percent(0.0417), "4.17 %"],
  ["a whole rate", format.percent(1), "100 %"],
  ["no rate", format.percent(null), "–"],
  ["none", format.percent(0), "0 %"],
  ["a moment", format.duration(0.42), "0.42 ms"],
  ["milliseconds", format.duration(345.6), "346 ms"],
  ["seconds", format.duration(1_250), "1.25 s"],
  ["just under a minute", format.duration(59_949), "59.9 s"],
  ["what rounds to a minute", format.duration(59_960), "1 min"],
  ["minutes", format.duration(125_000), "2 min 5 s"],
  ["whole hours", format.duration(7_200_000), "2 h"],
  ["days", format.duration(183_600_000), "2 d 3 h"],
  ["what has just begun", format.elapsed(-300), "1 s"],
  ["what goes on", format.elapsed(5_910), "5 s"],
  ["age, just now", format.age(900), "now"],
  ["age", format.age(61_400), "1 min 1 s ago"],
  ["bytes", format.bytes(512, "binary"), "512 B"],
  ["bytes by 1024", format.bytes(8 * 1_024 ** 3, "binary"), "8 GiB"],
  ["bytes by 1000", format.bytes(2_020_000_000, "decimal"), "2.02 GB"],
  ["megabytes of nvidia-smi", format.mib(24_564, "binary"), "24 GiB"],
  ["unknown bytes", format.bytes(null, "binary"), "–"],
  ["degrees", format.temperature(83.4, "celsius"), "83 °C"],
  ["degrees of Fahrenheit", format.temperature(100, "fahrenheit"), "212 °F"],
  ["little energy", format.energy(92.4), "25.7 mWh"],
  ["more energy", format.energy(7_200), "2 Wh"],
  ["much energy", format.energy(7_200_000), "2 kWh"],
  ["no energy known", format.energy(null), "–"],
  ["money", format.money(3.5, "EUR"), "€3.50"],
  ["little money", format.money(0.0123, "USD"), "$0.0123"],
  ["what a request costs", format.money(0.0000083, "EUR"), "€0.0000083"],
  ["no money", format.money(0, "EUR"), "€0.00"],
];

test.each(SAID)("%s is said %s", (_what, said, is) => expect(plain(said)).toBe(is));

test("a moment is told in the viewer's zone, with its day when that is not today", () => {
  const now = Date.parse("2026-11-24T23:30:00Z");
  expect(format.moment("2026-11-24T22:05:09.000Z", now, "UTC")).toBe("22:05:09");
  expect(format.moment("2026-11-24T22:05:09.000Z", now, "Asia/Tokyo")).toBe("07:05:09");
  expect(format.moment("2026-11-20T22:05:09.000Z", now, "America/New_York")).toBe(
    "20 Nov, 17:05:09",
  );
});
