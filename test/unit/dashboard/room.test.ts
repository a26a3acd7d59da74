import { expect, test } from "vitest";
import { roomText } from "../../../dashboard/shape/room.ts";
import { roomVerdict, typedSize } from "../../../dashboard/shape/room-verdict.ts";
import { boxOf, gpuOf } from "./live.ts";

const GIB = 2 ** 30;

test.each<[free: number | null, later: number | null, gpus: number, text: string | null]>([
  [23, 41, 1, "Fits 23 GiB more; 41 GiB once idle models unload"],
  [23, 23, 1, "Fits 23 GiB more"],
  [23, null, 1, "Fits 23 GiB more"],
  [0, 24, 2, "Fits 0 B more on its 2 GPUs together; 24 GiB once idle models unload"],
  [null, null, 1, null],
])("shows the room of %s GiB, later %s, on %s GPUs", (free, later, count, text) => {
  const bytesOf = (gib: number | null) => (gib === null ? null : gib * GIB);
  const vram = {
    total_bytes: 48 * GIB,
    free_bytes: bytesOf(free),
    free_after_unload_bytes: bytesOf(later),
  };
  const gpus = Array.from({ length: count }, () => gpuOf({}));
  expect(roomText({ vram, gpus }, "binary")?.replaceAll("\u202f", " ") ?? null).toBe(text);
});

test.each<[text: string, size: number | null]>([
  ["20 GB", 20e9],
  ["20gb", 20e9],
  ["4.7 GiB", 4.7 * GIB],
  ["800 MB", 8e8],
  ["20", 20e9],
  ["0 GB", null],
  ["20 W", null],
  ["-3 GB", null],
  ["", null],
])("reads %j as a size", (text, size) => {
  expect(typedSize(text)).toBe(size);
});

const diskOf = (freeGib: number) =>
  ({ disk_total_bytes: 600 * GIB, disk_used_bytes: (600 - freeGib) * GIB }) as ReturnType<
    typeof boxOf
  >["system"];

const SPACE = { total: 24, free: 24, later: 24, disk: 500 };

test.each<[space: Partial<Record<keyof typeof SPACE, number | null>>, label: string, tone: string]>(
  [
    [{}, "fits", "good"],
    [{ total: 22, free: 21, later: 21 }, "too large", "bad"],
    [{ free: 10, later: 24 }, "fits after unloads", "warn"],
    [{ free: 10, later: 10 }, "fits alone", "warn"],
    [{ free: null, later: null }, "unknown", "quiet"],
    [{ total: null, free: null, later: null }, "unknown", "quiet"],
    [{ disk: 3 }, "fits the GPU", "warn"],
    [{ disk: null }, "fits", "good"],
  ],
)("finds room for 20 GB of files in %j: %s", (changes, label, tone) => {
  const { total, free, later, disk } = { ...SPACE, ...changes };
  const bytesOf = (gib: number | null) => (gib === null ? null : gib * GIB);
  const box = {
    ...boxOf({}),
    vram: {
      total_bytes: bytesOf(total),
      free_bytes: bytesOf(free),
      free_after_unload_bytes: bytesOf(later),
    },
    system: disk === null ? null : diskOf(disk),
  };
  const verdict = roomVerdict(box, 20e9, "decimal");
  expect(verdict).toMatchObject({ label, tone });
  if (label !== "unknown" || total !== null) expect(verdict.detail).toContain("24");
});

test("does not judge a box that is not connected", () => {
  expect(roomVerdict({ ...boxOf({}), state: "down" }, 1, "binary").label).toBe("not connected");
});
