import { expect, test } from "vitest";
import {
  amountText,
  gigabytes,
  spanText,
  vramText,
  wattsText,
  wholeText,
} from "../../../../agent/terminal/format.ts";
import { printable } from "../../../../agent/terminal/printable.ts";

test.each([
  [0, "0 s"],
  [999, "0 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [192_000, "3 min 12 s"],
  [3_600_000, "1 h"],
  [3_659_000, "1 h"],
  [93_600_000, "1 d 2 h"],
  [null, "–"],
])("formats a span of %s ms", (ms, text) => {
  expect(spanText(ms)).toBe(text);
});

test("formats figures without the locale of the machine", () => {
  expect([0, 999, 1_000, 1_234_567].map(wholeText)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect([0, 4.25, 99.94, 99.96, 1_234.5].map(amountText)).toEqual([
    "0.0",
    "4.3",
    "99.9",
    "100",
    "1235",
  ]);
  expect([3.4e9, 324e6, 0, null].map(gigabytes)).toEqual(["3.4 GB", "324 MB", "0 MB", "–"]);
});

test("formats a share of which a part is unknown", () => {
  expect(vramText(null, 24_576)).toBe("– of 24.0 GiB");
  expect(vramText(0, 24_576)).toBe("0.0 of 24.0 GiB");
  expect(vramText(null, null)).toBe("–");
  expect(wattsText(34.4, null)).toBe("34 W");
});

test("replaces characters that would change the terminal", () => {
  const hostile = { name: "m\x1b]0;title\x07", list: ["a\nb", "\u202eabc"], count: 1, none: null };
  expect(printable(hostile)).toEqual({
    name: "m\ufffd]0;title\ufffd",
    list: ["a\ufffdb", "\ufffdabc"],
    count: 1,
    none: null,
  });
});
