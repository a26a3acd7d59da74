import { expect, test } from "vitest";
import { roomText } from "../../../dashboard/shape/room.ts";
import { gpuOf } from "./live.ts";

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
