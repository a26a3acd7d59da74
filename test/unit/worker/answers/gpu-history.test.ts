import { expect, test } from "vitest";
import { GpuHistory } from "../../../../protocol/api/system.ts";
import { gpuHistoryOf } from "../../../../worker/answers/gpu-history.ts";
import { gpuOf } from "../../../support/records.ts";

const SPAN = { from: 1_000, granularity: 20, buckets: 3 };
const at = (seconds: number) => seconds * 1_000;

test("each GPU has a mean per bucket, null without samples, in order of box and index", () => {
  const history = gpuHistoryOf(SPAN, [
    {
      box: "borealis",
      gpu: [
        gpuOf("borealis", at(1_001), { temperature_c: 50 }),
        gpuOf("borealis", at(1_045), { temperature_c: null }),
      ],
    },
    {
      box: "atlas",
      gpu: [
        gpuOf("atlas", at(1_021), { index: 1, temperature_c: 70 }),
        gpuOf("atlas", at(1_039), { index: 1, temperature_c: 71 }),
      ],
    },
    { box: "atlas", gpu: [gpuOf("atlas", at(1_000), { temperature_c: 60 })] },
  ]);
  const { timestamps, gpus } = GpuHistory.parse({
    time_range: "5m",
    store: "durable_object",
    ...history,
  });
  expect(timestamps).toEqual([
    "1970-01-01T00:16:40.000Z",
    "1970-01-01T00:17:00.000Z",
    "1970-01-01T00:17:20.000Z",
  ]);
  expect(gpus.map(({ box, index, temperature_c }) => [box, index, temperature_c])).toEqual([
    ["atlas", 0, [60, null, null]],
    ["atlas", 1, [null, 70.5, null]],
    ["borealis", 0, [50, null, null]],
  ]);
});

test("GPU samples outside the span are left out", () => {
  const { gpus } = gpuHistoryOf(SPAN, [
    { box: "atlas", gpu: [gpuOf("atlas", at(999)), gpuOf("atlas", at(1_060))] },
  ]);
  expect(gpus).toEqual([]);
});
