/**
 * A page of the ledger: records of requests as lines of JSON, which are one row of the table. Pure.
 *
 * The first line of `heads` has the names of the fields, and each other line the fields of a record but its
 * texts, so most readers parse no text. A line of `texts` has those, or is empty. Both parts have room for
 * later records. A page never changes its length, since SQLite then writes it in place, and leaves no
 * copy of a text elsewhere.
 */
import * as z from "zod";
import { RECORD_COLUMNS } from "../../protocol/columns.ts";
import { TEXT_FIELDS } from "../../protocol/kept-text.ts";
import { PAGE_RECORDS, PageLabel } from "./page-label.ts";

/** 500 bytes for each record. */
const HEADS_BYTES = 32 * 1_024;
/** 1,000 bytes for each record. Longer texts make pages with fewer records. */
const TEXTS_BYTES = 64 * 1_024;

/** The fields of a record as they are stored: to be parsed, since storage outlives the code. */
export type StoredRow = Record<string, unknown>;

/** A field that an older record lacks is unknown. */
const UNKNOWN: StoredRow = Object.fromEntries(RECORD_COLUMNS.map((column) => [column, null]));
/** The fields of a line of `heads` in pages that are made now. */
const HEAD_COLUMNS: readonly string[] = [
  ...RECORD_COLUMNS.filter((column) => !TEXT_FIELDS.some((field) => field === column)),
  ...["finished_at_ms", "stamp", "counted_as"],
];
const Columns = z.array(z.string());
/** The fields of a record that are in the label of its page. */
const Labelled = z.object({ request_id: z.string(), stamp: z.number() });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class LedgerPage {
  readonly label: PageLabel;
  readonly heads: Uint8Array<ArrayBuffer>;
  readonly texts: Uint8Array<ArrayBuffer>;
  /** True if later records belong here: all their fields have a place. */
  readonly isCurrent: boolean;
  readonly #columns: readonly string[];

  constructor(label: PageLabel, heads: Uint8Array<ArrayBuffer>, texts: Uint8Array<ArrayBuffer>) {
    this.label = label;
    this.heads = heads;
    this.texts = texts;
    const end = heads.indexOf(NEWLINE);
    const columns = decoder.decode(heads.subarray(0, end));
    this.#columns = Columns.parse(JSON.parse(columns));
    this.isCurrent = columns === JSON.stringify(HEAD_COLUMNS);
  }

  /** Returns an empty page with room for this record at least. */
  static for(row: StoredRow): LedgerPage {
    const columns = lineOf(HEAD_COLUMNS);
    const [head, text] = bytesOf(row, HEAD_COLUMNS);
    return LedgerPage.#empty(
      columns,
      Math.max(HEADS_BYTES, columns.length + head.length),
      Math.max(TEXTS_BYTES, text.length),
    );
  }

  static #empty(columns: Uint8Array, headsBytes: number, textsBytes: number): LedgerPage {
    const heads = new Uint8Array(headsBytes);
    heads.set(columns);
    return new LedgerPage(new PageLabel(columns.length), heads, new Uint8Array(textsBytes));
  }

  /** Returns an empty page of the same length. */
  emptied(): LedgerPage {
    return LedgerPage.#empty(lineOf(this.#columns), this.heads.length, this.texts.length);
  }

  /** Adds a record. @returns whether there was room for it */
  add(row: StoredRow): boolean {
    const { records, headsUsed, textsUsed } = this.label;
    const [head, text] = bytesOf(row, this.#columns);
    const used = { headsUsed: headsUsed + head.length, textsUsed: textsUsed + text.length };
    const hasRoom =
      records < PAGE_RECORDS &&
      used.headsUsed <= this.heads.length &&
      used.textsUsed <= this.texts.length;
    if (!hasRoom) return false;
    this.heads.set(head, headsUsed);
    this.texts.set(text, textsUsed);
    const { request_id, stamp } = Labelled.parse(row);
    this.label.add(request_id, { stamp, ...used });
    return true;
  }

  /** Returns all records without their texts. */
  rows(): StoredRow[] {
    return this.#headLines().map((line) => this.#rowOf(line));
  }

  /** Returns the records at these positions, with their texts; all without positions. */
  wholeRows(positions?: readonly number[]): StoredRow[] {
    const heads = this.#headLines();
    const texts = linesIn(this.texts, this.label.textsUsed);
    return [...(positions ?? heads.keys())].map((at) => ({
      ...this.#rowOf(heads[at] ?? "[]"),
      ...textsOf(texts[at] ?? ""),
    }));
  }

  #rowOf(line: string): StoredRow {
    const values = valuesIn(line);
    const row: StoredRow = this.isCurrent ? {} : { ...UNKNOWN };
    for (const [index, column] of this.#columns.entries()) row[column] = values[index] ?? null;
    for (const field of TEXT_FIELDS) row[field] = null;
    return row;
  }

  #headLines(): string[] {
    return linesIn(this.heads, this.label.headsUsed).slice(1);
  }
}

const NEWLINE = "\n".charCodeAt(0);

const lineOf = (value: unknown): Uint8Array => encoder.encode(`${JSON.stringify(value)}\n`);

/** Returns the lines of a record in both parts of a page. */
function bytesOf(row: StoredRow, columns: readonly string[]): [head: Uint8Array, text: Uint8Array] {
  const texts = TEXT_FIELDS.map((field) => wellFormed(row[field] ?? null));
  return [
    lineOf(columns.map((column) => wellFormed(row[column] ?? null))),
    texts.every((text) => text === null) ? encoder.encode("\n") : lineOf(texts),
  ];
}

/** Half a surrogate pair becomes one character, as in all stores. */
const wellFormed = <Value>(value: Value): Value | string =>
  typeof value === "string" ? value.toWellFormed() : value;

function textsOf(line: string): StoredRow {
  if (line === "") return {};
  const values = valuesIn(line);
  return Object.fromEntries(TEXT_FIELDS.map((field, index) => [field, values[index] ?? null]));
}

/** The values are parsed where the row is read. */
function valuesIn(line: string): readonly unknown[] {
  const values: unknown = JSON.parse(line);
  return Array.isArray(values) ? values : [];
}

/** Each line ends with a newline, which JSON has none of. */
const linesIn = (bytes: Uint8Array, used: number): string[] =>
  decoder.decode(bytes.subarray(0, used)).split("\n").slice(0, -1);
