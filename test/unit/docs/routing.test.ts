/** The tables of docs/routing.md, compared with the constants that they describe. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../../local/edge.ts";
import * as estimate from "../../../worker/gateway/choice/estimate.ts";

const page = readFileSync(join(ROOT, "docs/routing.md"), "utf8");

test("the page about routing has every constant of the choice", () => {
  const listed = Object.fromEntries(
    Array.from(page.matchAll(/^\| `(\w+)` \| ([\d.]+) \|/gm), ([, name, value]) => [
      name,
      Number(value),
    ]),
  );
  const numbers = Object.entries(estimate).filter(([, value]) => typeof value === "number");
  expect(listed).toEqual({ ...estimate.EXPECTED, ...Object.fromEntries(numbers) });
});

test("the page about routing has every term of the choice", () => {
  const terms = Array.from(page.matchAll(/^\| (\w+) \| .* \| .* \|$/gm), ([, term]) => term);
  const box = {
    name: "a",
    loaded: [],
    pinned: [],
    models: {},
    vram: null,
    is_slowed: false,
  } as never;
  const wanted = { model: "m:1b", ...estimate.wantedPrompt(null) };
  const [one] = estimate.estimatesOf([box], wanted, () => ({ open: 0, slots: null }));
  const names = Object.keys(one ?? {}).filter((name) => /Ms$/.test(name));
  const known = names.map((name) => name.replace("Ms", ""));
  const [_header, ...listed] = terms.filter((term) => term !== "constant");
  expect(listed).toEqual(known.filter((name) => name !== "total" && name !== "service"));
});
