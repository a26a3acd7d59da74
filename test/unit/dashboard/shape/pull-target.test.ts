import { expect, test } from "vitest";
import { pullTargets } from "../../../../dashboard/shape/pull-target.ts";
import { bytesOfSize } from "../../../../protocol/model-memory.ts";
import { boxOf, gpuOf } from "../live.ts";

const GB = 1e9;

const system = (usedBytes: number, totalBytes: number) =>
  ({ disk_used_bytes: usedBytes, disk_total_bytes: totalBytes }) as ReturnType<
    typeof boxOf
  >["system"];

const BOXES = [
  boxOf({ name: "roomy", system: system(100 * GB, 1_000 * GB) }),
  boxOf({
    name: "full",
    system: system(90 * GB, 100 * GB),
    gpus: [gpuOf({ memory_total_mb: 8_192 })],
  }),
  boxOf({ name: "new", system: null, gpus: [] }),
  boxOf({ name: "away", state: "down" }),
];

test("finds where a model fits on the disk and in VRAM", () => {
  const targets = pullTargets(BOXES, 20 * GB, ["full"]);
  expect(
    targets.map(({ name, isUp, isInstalled, fitsDisk, fitsVram }) =>
      [name, isUp, isInstalled, fitsDisk, fitsVram].join(" "),
    ),
  ).toEqual([
    "roomy true false true true",
    "full true true false false",
    "new true false  ",
    "away false false  true",
  ]);
  expect(targets.map(({ freeDiskBytes }) => freeDiskBytes)).toEqual([
    900 * GB,
    10 * GB,
    null,
    null,
  ]);
});

test("leaves the fit of a model of unknown size open", () => {
  const [roomy] = pullTargets(BOXES, null, []);
  expect([roomy?.fitsDisk, roomy?.fitsVram]).toEqual([null, null]);
});

test.each([
  ["2.0 GB", 2 * GB],
  ["815 MB", 815e6],
  ["1.3TB", 1_300 * GB],
  ["large", null],
  [null, null],
])("reads the size %j of the library", (size, expected) => {
  expect(bytesOfSize(size)).toBe(expected);
});
