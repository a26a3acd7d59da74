import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedText } from "../../../../agent/measure/bounded-text.ts";
import { cut } from "../../../../protocol/records.ts";

test("equals the cut of the whole text, even within a surrogate pair", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme", maxLength: 6 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 30 }),
      (pieces, max) => {
        const kept = new BoundedText(max);
        for (const piece of pieces) kept.add(piece);
        const whole = pieces.join("");
        expect(kept.text).toBe(whole === "" ? null : cut(whole, max));
      },
    ),
  );
});
