import { expect, test } from "vitest";
import { BlobError } from "../../../../worker/counting/blob.ts";
import { Cell } from "../../../../worker/counting/cell.ts";
import {
  countedPair,
  decodeKeyCells,
  encodeKeyCells,
  KEY_MODELS_MAX,
  type KeyCell,
} from "../../../../worker/counting/key-cells.ts";
import { OTHER } from "../../../../worker/counting/model-key.ts";
import { recordOf } from "../../../support/records.ts";

function cellOf(key: string, requests = 1): KeyCell {
  const cell = new Cell();
  for (let n = 0; n < requests; n++) cell.add(recordOf(1_000 * n), 2_000);
  return { key, model: "qwen3:8b", box: "größe", cell };
}

test("cells of keys survive their encoding", () => {
  const cells = [cellOf("a1", 3), cellOf("b2")];
  expect(encodeKeyCells(cells).flatMap(decodeKeyCells)).toEqual(cells);
  expect(encodeKeyCells([]).flatMap(decodeKeyCells)).toEqual([]);
});

test("cells that do not fit in a row are divided among several", () => {
  const cells = Array.from({ length: 20_000 }, (_, n) => cellOf(`key ${n}`));
  const blobs = encodeKeyCells(cells);
  expect(blobs.length).toBeGreaterThan(1);
  for (const { length } of blobs) expect(length).toBeLessThan(2_000_000);
  expect(blobs.flatMap(decodeKeyCells)).toHaveLength(cells.length);
});

test("a blob that is cut, or of another version, is refused", () => {
  const [blob = new Uint8Array()] = encodeKeyCells([cellOf("a1")]);
  expect(() => decodeKeyCells(blob.subarray(0, -1))).toThrow(BlobError);
  expect(() => decodeKeyCells(Uint8Array.of(9))).toThrow("have version 9");
});

test("pairs beyond the limit are counted together, those of a known key under it", () => {
  const known = new Set(["a1 qwen3:8b", `a1 ${OTHER}`]);
  const pairOf = (key: string, model: string, count: number) =>
    countedPair({ key, model }, count, (pair) => known.has(`${pair.key} ${pair.model}`));
  expect(pairOf("b2", "m", 0)).toEqual({ key: "b2", model: "m" });
  expect(pairOf("a1", "qwen3:8b", KEY_MODELS_MAX)).toEqual({ key: "a1", model: "qwen3:8b" });
  expect(pairOf("a1", "m", KEY_MODELS_MAX)).toEqual({ key: "a1", model: OTHER });
  expect(pairOf("b2", "m", KEY_MODELS_MAX)).toEqual({ key: OTHER, model: OTHER });
});
