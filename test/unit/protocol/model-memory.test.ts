import { expect, test } from "vitest";
import {
  bytesOfSize,
  type MeasuredMemory,
  predictedMemory,
} from "../../../protocol/model-memory.ts";

/** gemma4 on a machine of the documentation of Ollama's API: 6,591,830,464 bytes with 4,096 tokens. */
const GEMMA: MeasuredMemory = { context_length: 4_096, bytes: 6_591_830_464 };
const LARGER: MeasuredMemory = { context_length: 8_192, bytes: 7_128_701_376 };
const LARGEST: MeasuredMemory = { context_length: 32_768, bytes: 10_349_926_848 };

test.each<[string, MeasuredMemory[], number, ReturnType<typeof predictedMemory>]>([
  ["nothing is measured", [], 4_096, null],
  ["only a smaller context is", [GEMMA], 8_192, null],
  ["this context is", [LARGER, GEMMA], 4_096, { bytes: GEMMA.bytes, method: "measured" }],
  ["only a larger context is", [GEMMA], 2_048, { bytes: GEMMA.bytes, method: "at_most" }],
  [
    "a smaller and a larger one are",
    [LARGER, GEMMA],
    6_144,
    { bytes: (GEMMA.bytes + LARGER.bytes) / 2, method: "interpolated" },
  ],
  [
    "two smaller ones are",
    [GEMMA, LARGER],
    12_288,
    { bytes: 2 * LARGER.bytes - GEMMA.bytes, method: "interpolated" },
  ],
  [
    "the two nearest of three are used",
    [LARGEST, GEMMA, LARGER],
    20_480,
    { bytes: (LARGER.bytes + LARGEST.bytes) / 2, method: "interpolated" },
  ],
  [
    "a larger context took less, by Ollama's count",
    [GEMMA, { context_length: 8_192, bytes: 6_000_000_000 }],
    6_144,
    { bytes: 6_000_000_000, method: "at_most" },
  ],
])("predicts the memory of a model if %s", (_what, measured, context, predicted) => {
  expect(predictedMemory(measured, context)).toEqual(predicted);
});

test("parses the sizes of the library", () => {
  expect(["2.0 GB", "638 MB", "1.5TB", "big", null].map(bytesOfSize)).toEqual([
    2e9,
    638e6,
    1.5e12,
    null,
    null,
  ]);
});
