/** The colours of models in the style sheet: distinct for everybody, and legible. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MODEL_COLOURS } from "../../../dashboard/shape/model-colour.ts";
import { ROOT } from "../../../local/edge.ts";

const TOKENS = readFileSync(join(ROOT, "dashboard/styles/tokens.css"), "utf8");

type Colour = readonly [red: number, green: number, blue: number];

/** Returns the models' colours of a theme, in linear light. */
function coloursOf(theme: "light" | "dark"): Colour[] {
  const found = [...TOKENS.matchAll(/--model-\d+: light-dark\((#\w{6}), (#\w{6})\)/g)];
  return found.map(([, light = "", dark = ""]) => linear(theme === "light" ? light : dark));
}

const linear = (hex: string): Colour => {
  const part = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [part(1), part(3), part(5)];
};

/** Machado, Oliveira and Fernandes (2009), severity 1, in linear light. */
const VISIONS: Record<string, readonly Colour[]> = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const times = (rows: readonly Colour[], [r, g, b]: Colour): Colour => {
  const sum = ([x, y, z]: Colour = [0, 0, 0]) => x * r + y * g + z * b;
  return [sum(rows[0]), sum(rows[1]), sum(rows[2])];
};

/** Oklab, in which equal distances look about equally large. */
function oklab(colour: Colour): Colour {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    colour,
  );
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    [Math.cbrt(cones[0]), Math.cbrt(cones[1]), Math.cbrt(cones[2])],
  );
}

/** About three times the smallest difference that an eye sees side by side. */
const DISTANCE_MIN = 0.07;

test.each(
  Object.keys(VISIONS).flatMap((vision) =>
    (["light", "dark"] as const).map((theme) => [vision, theme] as const),
  ),
)("keeps the models' colours distinct with %s vision in the %s theme", (vision, theme) => {
  const seen = coloursOf(theme).map((colour) => oklab(times(VISIONS[vision] ?? [], colour)));
  expect(seen).toHaveLength(MODEL_COLOURS);
  const distances = seen.flatMap((one, n) =>
    seen.slice(n + 1).map((other, m) => ({
      colours: [n + 1, n + m + 2],
      distance: Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]),
    })),
  );
  expect(distances.filter(({ distance }) => distance < DISTANCE_MIN)).toEqual([]);
});

/** The text on a model's bar is white in the light theme and black in the dark one. */
test.each(["light", "dark"] as const)(
  "gives names on a model's colour enough contrast in the %s theme",
  (theme) => {
    for (const [n, [r, g, b]] of coloursOf(theme).entries()) {
      const brightness = 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      expect(
        theme === "light" ? 1.05 / brightness : brightness / 0.05,
        `model ${n + 1}`,
      ).toBeGreaterThanOrEqual(4.5);
    }
  },
);
