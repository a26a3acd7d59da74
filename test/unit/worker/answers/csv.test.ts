import { expect, test } from "vitest";
import { csvLine } from "../../../../worker/answers/csv.ts";

test.each([
  ["plain values", ["a", 1, 0.5, true, null], "a,1,0.5,true,\r\n"],
  ["a comma, a quote, a line break", ["a,b", 'c "d"', "x\ny"], '"a,b","c ""d""","x\ny"\r\n'],
  [
    "text that a spreadsheet would run",
    ["=1+1", "+1", "-1", "@A1", "\tx"],
    "'=1+1,'+1,'-1,'@A1,'\tx\r\n",
  ],
  ["a formula with a quote", ['=HYPERLINK("http://evil")'], `"'=HYPERLINK(""http://evil"")"\r\n`],
  ["negative numbers, which are not formulas", [-1, -0.5], "-1,-0.5\r\n"],
  ["text in other scripts", ["é 漢 😀"], "é 漢 😀\r\n"],
  ["no values", [], "\r\n"],
])("writes a line of CSV with %s", (_name, values, line) => {
  expect(csvLine(values)).toBe(line);
});
