/**
 * The label of a page of the ledger: which requests are in it, and how far its parts are filled. Its
 * length is fixed, so that a page is overwritten in place. Pure.
 */
import { bytesOfId, ID_BYTES, idsOfBytes, indexOfId, isLess } from "../storage/uuid-bytes.ts";

export const PAGE_RECORDS = 64;

/** Positions in the label: the newest stamp, three counts, and the ids from here on. */
const STAMP_AT = 0;
const RECORDS_AT = 8;
const HEADS_AT = 12;
const TEXTS_AT = 16;
const IDS_AT = 24;
const LABEL_BYTES = IDS_AT + PAGE_RECORDS * ID_BYTES;

export class PageLabel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** The oldest and the newest request; empty without one. */
  #first = "";
  #last = "";

  /** @param from  its bytes, or how many bytes of `heads` an empty page uses */
  constructor(from: Uint8Array<ArrayBuffer> | number) {
    this.bytes = typeof from === "number" ? new Uint8Array(LABEL_BYTES) : from;
    this.#view = new DataView(this.bytes.buffer);
    if (typeof from === "number") this.#view.setUint32(HEADS_AT, from);
    let [first, last] = [0, 0];
    for (let at = 1; at < this.records; at++) {
      if (isLess(this.#ids(), at, first)) first = at;
      if (isLess(this.#ids(), last, at)) last = at;
    }
    this.#first = this.#idAt(first);
    this.#last = this.#idAt(last);
  }

  get first(): string {
    return this.#first;
  }

  get last(): string {
    return this.#last;
  }

  /** The stamp of the newest batch in the page. */
  get stamp(): number {
    return this.#view.getFloat64(STAMP_AT);
  }

  get records(): number {
    return this.#view.getUint32(RECORDS_AT);
  }

  /** Bytes in use of the parts of the page. */
  get headsUsed(): number {
    return this.#view.getUint32(HEADS_AT);
  }

  get textsUsed(): number {
    return this.#view.getUint32(TEXTS_AT);
  }

  /** In the order of their records. */
  ids(): string[] {
    return idsOfBytes(this.#ids());
  }

  /** Returns the position of a request in the page; -1 if it is not there. */
  indexOf(id: string, bytes: Uint8Array): number {
    return id < this.#first || id > this.#last ? -1 : indexOfId(this.#ids(), bytes);
  }

  /** Notes a record, and how far the parts are filled now. */
  add(
    id: string,
    { stamp, headsUsed, textsUsed }: { stamp: number; headsUsed: number; textsUsed: number },
  ): void {
    const { records } = this;
    this.bytes.set(bytesOfId(id), IDS_AT + records * ID_BYTES);
    this.#view.setFloat64(STAMP_AT, Math.max(this.stamp, stamp));
    this.#view.setUint32(RECORDS_AT, records + 1);
    this.#view.setUint32(HEADS_AT, headsUsed);
    this.#view.setUint32(TEXTS_AT, textsUsed);
    if (records === 0 || id < this.#first) this.#first = id;
    if (id > this.#last) this.#last = id;
  }

  #idAt(at: number): string {
    return idsOfBytes(this.#ids().subarray(at * ID_BYTES, (at + 1) * ID_BYTES))[0] ?? "";
  }

  #ids(): Uint8Array {
    return this.bytes.subarray(IDS_AT, IDS_AT + this.records * ID_BYTES);
  }
}
