import { expect, test } from "vitest";
import { CONCERN_CODES, CONCERNS } from "../../../protocol/concerns.ts";

test.each(CONCERN_CODES)(
  "%s is a snake_case code with a description that is a sentence",
  (code) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(CONCERNS[code].description).toMatch(/^[A-Z].*\.$/);
  },
);
