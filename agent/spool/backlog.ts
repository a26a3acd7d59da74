/**
 * What the disk would not take: kept in memory, in order, until it does. Pure.
 *
 * Bounded; beyond that the oldest finished requests are lost, and counted. A request that is
 * still open is never dropped: there are at most as many as streams.
 */

/** Finished requests kept, and UTF-16 code units of their lines: records may be long. */
const RECORDS_MAX = 10_000;
const CHARS_MAX = 64 * 1024 * 1024;

export type KeptRecord = { id: string; position: number; line: string };

export class SpoolBacklog {
  /** Lines of requests that were begun while the disk failed and are still open, by id. */
  readonly opens = new Map<string, string>();
  /** Finished requests, by rising position. */
  records: KeptRecord[] = [];
  /** Requests whose end is in the ledger while the disk still has them as open. */
  over: string[] = [];
  #chars = 0;

  get isEmpty(): boolean {
    return this.opens.size === 0 && this.records.length === 0 && this.over.length === 0;
  }

  /** @returns the record that had to go for this one, if any. */
  add(record: KeptRecord): KeptRecord | null {
    this.records.push(record);
    this.#chars += record.line.length;
    return this.records.length > RECORDS_MAX || this.#chars > CHARS_MAX ? this.shift() : null;
  }

  shift(): KeptRecord | null {
    const record = this.records.shift() ?? null;
    this.#chars -= record?.line.length ?? 0;
    return record;
  }

  /** Takes out what is confirmed. An id that falls out of `over` costs a second delivery after a crash, no more. */
  confirm(position: number): void {
    for (
      let first = this.records[0];
      first !== undefined && first.position <= position;
      first = this.records[0]
    ) {
      this.shift();
      this.over.push(first.id);
    }
    this.over = this.over.slice(-RECORDS_MAX);
  }
}
