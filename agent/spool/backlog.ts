/**
 * Lines that the disk did not accept: kept in memory, in order, until it does. Pure.
 *
 * Bounded. Beyond the bound the oldest finished requests are lost, and counted. An open request is
 * never dropped: there are at most as many of them as streams.
 */

/** Limits of the finished requests kept: their number, and the UTF-16 code units of their lines. */
const RECORDS_MAX = 10_000;
const CHARS_MAX = 64 * 1024 * 1024;

export type KeptRecord = { id: string; position: number; line: string };

export class SpoolBacklog {
  /** Lines of requests that began while the disk failed and are still open, by id. */
  readonly opens = new Map<string, string>();
  /** Finished requests, by rising position. */
  records: KeptRecord[] = [];
  /** Requests that are confirmed in the ledger but still open on the disk. */
  settledIds: string[] = [];
  #chars = 0;

  get isEmpty(): boolean {
    return this.opens.size === 0 && this.records.length === 0 && this.settledIds.length === 0;
  }

  /** Adds a record. Returns the record dropped to make room for it, if any. */
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

  /**
   * Removes the confirmed records. An id that no longer fits into `settledIds` costs a second
   * delivery after a crash, nothing more.
   */
  confirm(position: number): void {
    for (
      let first = this.records[0];
      first !== undefined && first.position <= position;
      first = this.records[0]
    ) {
      this.shift();
      this.settledIds.push(first.id);
    }
    this.settledIds = this.settledIds.slice(-RECORDS_MAX);
  }
}
