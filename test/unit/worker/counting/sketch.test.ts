import fc from "fast-check";
import { expect, test } from "vitest";
import { BlobError } from "../../../../worker/counting/blob.ts";
import { BINS_PER_POWER, Sketch, upperOfBand } from "../../../../worker/counting/sketch.ts";
import { normal, seeded } from "../../../support/seeded.ts";

const RELATIVE_ERROR_MAX = 0.0055;
const VALUES = 20_000;

const DISTRIBUTIONS: [name: string, draw: (random: () => number) => number][] = [
  ["lognormal", (random) => Math.exp(6 + 1.2 * normal(random))],
  [
    "bimodal",
    (random) => (random() < 0.7 ? 40 + 5 * normal(random) : 30_000 + 900 * normal(random)),
  ],
  ["pareto", (random) => 10 / (1 - random()) ** (1 / 1.1)],
];

test.each(DISTRIBUTIONS)(
  "percentiles of %s values are within 0.55 percent of the exact ones",
  (_name, draw) => {
    const random = seeded(42);
    const values = Array.from({ length: VALUES }, () => Math.abs(draw(random)));
    const sketch = sketchOf(values);
    values.sort((a, b) => a - b);
    for (const q of [
      0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.699, 0.7, 0.701, 0.9, 0.95, 0.99, 0.999, 1,
    ]) {
      const exact = values[Math.max(0, Math.ceil(q * VALUES) - 1)] ?? Number.NaN;
      expect(Math.abs((sketch.quantile(q) ?? Number.NaN) - exact) / exact, `q=${q}`).toBeLessThan(
        RELATIVE_ERROR_MAX,
      );
    }
  },
);

test.each(DISTRIBUTIONS)("a sketch of %s values is at most 3 kB", (_name, draw) => {
  const random = seeded(7);
  expect(
    sketchOf(Array.from({ length: VALUES }, () => Math.abs(draw(random)))).encode().length,
  ).toBeLessThan(3_000);
});

// Multiples of 1/1024 add up exactly, so results can be compared for equality.
const values = fc.array(
  fc.nat(1e9).map((n) => n / 1024),
  { maxLength: 200 },
);

test("sketches of parts add up to the sketch of the whole", () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 8 }), (parts) => {
      const merged = new Sketch();
      for (const part of parts) merged.merge(sketchOf(part));
      expect(merged.encode()).toEqual(sketchOf(parts.flat()).encode());
    }),
  );
});

test("a sketch is equal after encoding and decoding", () => {
  fc.assert(
    fc.property(values, (list) => {
      const sketch = sketchOf(list);
      const read = Sketch.decode(sketch.encode());
      expect(read).toEqual(sketch);
      expect(read.encode()).toEqual(sketch.encode());
    }),
  );
});

test("the count and sum of a sketch are exact", () => {
  const sketch = sketchOf([0, 1.5, 2.25, 1e6]);
  expect([sketch.count, sketch.sum]).toEqual([4, 1_000_003.75]);
});

test("an empty sketch has no percentiles, and one of zeros has 0", () => {
  expect(new Sketch().quantile(0.5)).toBeNull();
  expect(sketchOf([0, 0, 8]).quantile(0.5)).toBe(0);
});

test("values beyond the outermost bins count in them", () => {
  const sketch = sketchOf([Number.MIN_VALUE, Number.MAX_VALUE]);
  expect(sketch.quantile(0)).toBe(0);
  expect(sketch.quantile(1)).toBeCloseTo(2 ** 40, -11);
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])(
  "a sketch rejects the measurement %d",
  (value) => {
    expect(() => new Sketch().add(value)).toThrow(RangeError);
  },
);

const SUM = [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]; // 1.0
const REJECTED: [name: string, bytes: number[]][] = [
  ["no bytes", []],
  ["a sum that is cut off", [1, 0, 0x3f, 0xf0]],
  ["bytes after the end", [0, 0, 0]],
  ["an empty bin", [0, 1, 0, 0, ...SUM]],
  ["a repeated bin", [0, 2, 0, 1, 0, 1, ...SUM]],
  ["a bin that does not exist", [0, 1, 0xff, 0xff, 0x7f, 1, ...SUM]],
  ["more bins than exist", [0, 0xff, 0xff, 0x7f]],
  ["a negative sum", [1, 0, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0]],
  ["a sum that is NaN", [1, 0, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]],
  ["a number of 70 bits", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ["a number with a superfluous byte", [0x80, 0]],
];

test.each(REJECTED)("rejects a sketch with %s", (_name, bytes) => {
  expect(() => Sketch.decode(Uint8Array.from(bytes))).toThrow(BlobError);
});

test("decodes any bytes to a sketch or throws a BlobError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        expect(Sketch.decode(bytes).encode()).toEqual(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(BlobError);
      }
    }),
    { numRuns: 2_000 },
  );
});

function sketchOf(list: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of list) sketch.add(value);
  return sketch;
}

test("counts each value in the band that contains it", () => {
  const bins = BINS_PER_POWER / 2;
  const values = [0.3, 1, 1.01, 1.41, 30, 44, 46, 1_000, 1_024, 1_025];
  const bands = sketchOf([0, ...values]).bands(bins);
  const counted = [...bands].flatMap(([band, count]) => {
    const inside = values.filter(
      (value) => value > upperOfBand(band - 1, bins) && value <= upperOfBand(band, bins),
    );
    return [[count, inside.length]];
  });
  for (const [count, inside] of counted) expect(count).toBe(inside);
  expect([...bands.values()].reduce((sum, count) => sum + count, 0)).toBe(values.length);
});

test("returns the part of its values that are smaller", () => {
  const sketch = new Sketch();
  expect(sketch.partBelow(1)).toBeNull();
  for (const value of [0, 10, 20, 30, 1_000]) sketch.add(value);
  expect([0, 5, 25, 2_000].map((value) => sketch.partBelow(value))).toEqual([0, 0.2, 0.6, 1]);
});
