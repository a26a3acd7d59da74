/** The fit of a model on a box, as text. */
import { expect, test } from "vitest";
import { contextText, loadWarning, verdictOf } from "../../../../dashboard/shape/fit.ts";
import type { Plan } from "../../../../protocol/api/planning.ts";

const GIB = 2 ** 30;
type Place = Plan["boxes"][number];

const placeOf = (rest: Partial<Place>): Place => ({
  box: "atlas",
  state: "up",
  simulated: false,
  is_installed: true,
  loaded_context_length: null,
  predicted_bytes: 6 * GIB,
  method: "measured",
  vram_total_bytes: 24 * GIB,
  vram_free_bytes: 12 * GIB,
  fits: true,
  fits_empty: true,
  room_bytes: 6 * GIB,
  ...rest,
});
const plain = (text: string | null) => text?.replaceAll("\u202f", " ") ?? null;

test.each<[what: string, place: Partial<Place>, label: string, detail: string]>([
  ["room", {}, "fits", "Takes 6 GiB, 12 GiB free"],
  [
    "room, but no file",
    { is_installed: false },
    "fits",
    "Takes 6 GiB, 12 GiB free; it has to be pulled first",
  ],
  ["a bound", { method: "at_most" }, "fits", "Takes at most 6 GiB, 12 GiB free"],
  [
    "others in the way",
    { fits: false, vram_free_bytes: 2 * GIB },
    "fits alone",
    "Takes 6 GiB, 2 GiB free: others have to be unloaded",
  ],
  [
    "too little memory",
    { fits: false, fits_empty: false, predicted_bytes: 42 * GIB },
    "too large",
    "Takes 42 GiB of 24 GiB: a part would run on the CPU",
  ],
  [
    "no measurement",
    { predicted_bytes: null, method: null, fits: null, fits_empty: null },
    "unknown",
    "No box has measured it yet: load it once",
  ],
  [
    "no readings of its GPUs",
    { vram_total_bytes: null, vram_free_bytes: null, fits: null, fits_empty: null },
    "unknown",
    "Takes 6 GiB; its GPU memory is unknown",
  ],
  [
    "a bound that is too high",
    { method: "at_most", fits: null, fits_empty: null },
    "unknown",
    "Takes at most 6 GiB, 12 GiB free",
  ],
  ["no connection", { state: "down", fits: null }, "not connected", ""],
])("judges a box with %s", (_, place, label, detail) => {
  const verdict = verdictOf(placeOf(place), "binary");
  expect([verdict.label, plain(verdict.detail)]).toEqual([label, detail]);
});

const loaded = [{ name: "other:7b" }, { name: "more:1b" }] as Parameters<
  typeof loadWarning
>[1]["loaded"];

test("warns of a load that pushes others out, or that is too large", () => {
  const warn = (place: Partial<Place>, names = loaded) =>
    plain(loadWarning(placeOf(place), { loaded: names }, "binary"));
  expect(warn({})).toBeNull();
  expect(warn({ fits: null })).toBeNull();
  expect(warn({ fits: false, loaded_context_length: 4_096 })).toBeNull();
  expect(warn({ fits: false, vram_free_bytes: 2 * GIB })).toBe(
    "It takes 6 GiB, and atlas has 2 GiB free. Ollama unloads other models to make room: other:7b, more:1b.",
  );
  expect(warn({ fits: false, fits_empty: false, predicted_bytes: 42 * GIB }, [])).toBe(
    "It takes 42 GiB, and atlas has 12 GiB free. It is larger than all its GPUs, so a part runs on the CPU.",
  );
});

test("names the context of a plan, if it is known", () => {
  expect(contextText({ context_length: null })).toBe("");
  expect(contextText({ context_length: 8_192 })).toBe("with a context of 8,192");
});
