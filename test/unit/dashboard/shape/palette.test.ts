import { expect, test } from "vitest";
import {
  commandsFor,
  type PaletteEntry,
  requestCommand,
} from "../../../../dashboard/shape/palette.ts";

const command = (kind: PaletteEntry["kind"], name: string, words = ""): PaletteEntry => ({
  kind,
  name,
  words,
  href: `#/${name}`,
});
const ALL = [
  command("Page", "Overview"),
  command("Page", "Requests"),
  command("Action", "Switch the theme", "dark light"),
  command("Action", "Failed requests", "errors"),
  command("Box", "atlas"),
  command("Model", "gpt-oss:20b"),
  command("Model", "llama3.2"),
];
const found = (typed: string) => commandsFor(typed, ALL).map(({ name }) => name);

test.each([
  ["", ALL.map(({ name }) => name)],
  ["requests", ["Requests", "Failed requests"]],
  ["req", ["Requests", "Failed requests"]],
  ["  ERRORS ", ["Failed requests"]],
  ["dark", ["Switch the theme"]],
  ["theme switch", ["Switch the theme"]],
  ["model", ["gpt-oss:20b", "llama3.2"]],
  ["20b", ["gpt-oss:20b"]],
  ["gpt20", ["gpt-oss:20b"]],
  ["model llama", ["llama3.2"]],
  [".*(", []],
  ["nothing like it", []],
])("finds for %j, the best first", (typed, names) => expect(found(typed)).toEqual(names));

test("offers at most a dozen", () => {
  const many = Array.from({ length: 40 }, (_, n) => command("Model", `model-${n}`));
  expect(commandsFor("model", many)).toHaveLength(12);
});

test("opens a request by its whole id only", () => {
  const id = "0190b5a0-0000-7000-8000-00000000000A";
  const hrefOf = (each: string) => `#/requests?open=${each}`;
  expect(requestCommand(` ${id} `, hrefOf)).toEqual([
    { kind: "Request", name: id.toLowerCase(), href: hrefOf(id.toLowerCase()) },
  ]);
  expect(requestCommand(id.slice(0, 20), hrefOf)).toEqual([]);
});
