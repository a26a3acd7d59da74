/**
 * Cells of keys, and their encoding: all that the keys did in an hour is a few blobs, since rows are
 * billed and bytes are not. Pure.
 */
import { BlobError, BlobReader, BlobWriter } from "./blob.ts";
import { Cell, type KeyedCell } from "./cell.ts";
import { OTHER } from "./model-key.ts";

/** The requests of a key with a model on a box; `box` is empty over all boxes. */
export type KeyCell = KeyedCell & { key: string };

const BLOB_VERSION = 1;

/** SQLite stores at most 2 MB in a row. */
const BLOB_BYTES_MAX = 1_000_000;

/** Pairs of a key and a model that are counted apart. Owners make the keys, and boxes have the models. */
export const KEY_MODELS_MAX = 2_000;

/** Identifies a cell among others of the same time. */
export const nameOfKeyCell = ({ key, model, box }: Omit<KeyCell, "cell">): string =>
  JSON.stringify([key, model, box]);

/**
 * Returns the pair under which a key and a model are counted.
 * @param isKnown  whether a pair is counted apart already
 */
export function countedPair(
  { key, model }: Pick<KeyCell, "key" | "model">,
  known: number,
  isKnown: (pair: Pick<KeyCell, "key" | "model">) => boolean,
): Pick<KeyCell, "key" | "model"> {
  if (known < KEY_MODELS_MAX || isKnown({ key, model })) return { key, model };
  return isKnown({ key, model: OTHER }) ? { key, model: OTHER } : { key: OTHER, model: OTHER };
}

/** Adds cells to others of the same name. Does not change the cells. */
export function mergeKeyCells(into: Map<string, KeyCell>, cells: Iterable<KeyCell>): void {
  for (const { key, model, box, cell } of cells) {
    const name = nameOfKeyCell({ key, model, box });
    const sum = into.get(name) ?? { key, model, box, cell: new Cell() };
    sum.cell.merge(cell);
    into.set(name, sum);
  }
}

/** Returns as many blobs as the cells need. */
export function encodeKeyCells(cells: Iterable<KeyCell>): Uint8Array<ArrayBuffer>[] {
  const blobs: Uint8Array<ArrayBuffer>[] = [];
  let writer = emptyBlob();
  for (const { key, model, box, cell } of cells) {
    const encoded = cell.encode();
    if (writer.length + encoded.length > BLOB_BYTES_MAX) {
      blobs.push(writer.finish());
      writer = emptyBlob();
    }
    for (const text of [key, model, box]) writer.text(text);
    writer.bytes(encoded);
  }
  return [...blobs, writer.finish()];
}

function emptyBlob(): BlobWriter {
  const writer = new BlobWriter();
  writer.varint(BLOB_VERSION);
  return writer;
}

/** @throws {BlobError} when the bytes are not cells of this version */
export function decodeKeyCells(blob: Uint8Array): KeyCell[] {
  const reader = new BlobReader(blob);
  const version = reader.varint();
  if (version !== BLOB_VERSION)
    throw new BlobError(`cells of keys have version ${version}; this code reads ${BLOB_VERSION}`);
  const cells: KeyCell[] = [];
  while (!reader.isAtEnd) {
    const [key, model, box] = [reader.text(), reader.text(), reader.text()];
    cells.push({ key, model, box, cell: Cell.decode(reader.bytes()) });
  }
  return cells;
}
