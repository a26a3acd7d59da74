/**
 * Writes the spool's lines to a disk that may fail.
 *
 * Lines that the disk rejects wait in the backlog and are retried in order. Syncs are grouped: one
 * covers everything written in {@link SYNC_MS}, because a sync per request would cost more than the
 * request. A segment's file is deleted only after a sync of the lines that replace it.
 */
import type { After } from "../clock/timers.ts";
import type { Log } from "../log.ts";
import type { KeptRecord, SpoolBacklog } from "./backlog.ts";
import { lineOf } from "./lines.ts";
import type { SegmentFiles, SpoolPlace, SpoolSegment } from "./segments.ts";

/**
 * Longest time a written line waits for the sync that protects it from a power cut. The sync itself
 * comes on top.
 */
const SYNC_MS = 50;

/** Pause between two attempts to write to a disk that failed. */
const RETRY_MS = 250;

export type SpoolWriterShell = {
  now: () => number;
  log: Log;
  after: After;
  /** The line of an open request that waited in the backlog is now on the disk. */
  onOpenWritten(id: string, place: SpoolPlace): void;
  /** The backlog is empty again. */
  onDiskBack(): void;
};

export class SpoolWriter {
  readonly #files: SegmentFiles;
  readonly #backlog: SpoolBacklog;
  readonly #shell: SpoolWriterShell;
  /** The confirmed position that the log does not have yet. */
  #unwrittenConfirmation: number | null = null;
  /** Segments whose files can be deleted after the next sync. */
  #deletable: SpoolSegment[] = [];
  #cancelSync: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;
  #isClosed = false;

  constructor(files: SegmentFiles, backlog: SpoolBacklog, shell: SpoolWriterShell) {
    this.#files = files;
    this.#backlog = backlog;
    this.#shell = shell;
  }

  /** Returns null if the disk did not accept the line; the caller then adds it to the backlog. */
  write(text: string): SpoolPlace | null {
    // Waiting lines go first: positions rise in the log.
    if (!this.#backlog.isEmpty) return null;
    try {
      const place = this.#files.append(text);
      this.scheduleSync();
      return place;
    } catch (error) {
      this.#shell.log("error", "spool_disk_failed", { error });
      this.#scheduleRetry();
      return null;
    }
  }

  /** Adds a record to the backlog. Returns the record dropped to make room for it, if any. */
  keep(record: KeptRecord): KeptRecord | null {
    const dropped = this.#backlog.add(record);
    this.#scheduleRetry();
    return dropped;
  }

  /**
   * Notes a confirmed position, to be written with the next sync. Losing it in a crash only means
   * that records are sent again.
   */
  noteConfirmed(position: number): void {
    this.#unwrittenConfirmation = position;
  }

  writeConfirmation(): void {
    const position = this.#unwrittenConfirmation;
    if (position === null) return;
    try {
      this.#files.append(lineOf({ t: "confirmed", at: this.#shell.now(), position }));
      this.#unwrittenConfirmation = null;
    } catch {
      // The next confirmation includes this one.
    }
  }

  /**
   * Writes the ids that only a segment about to be deleted still holds. If that fails the segment
   * is deleted anyway: on a full disk its space is worth more than the ids.
   */
  writeSettledIds(ids: string[]): void {
    try {
      this.#files.append(lineOf({ t: "over", at: this.#shell.now(), ids }));
    } catch (error) {
      this.#shell.log("warn", "spool_ids_forgotten", { error });
    }
  }

  /** Removes a segment from the log, and its file after the next sync. */
  discard(segment: SpoolSegment): void {
    this.#files.forget(segment);
    this.#deletable.push(segment);
    this.scheduleSync();
  }

  scheduleSync(): void {
    if (this.#isClosed) return;
    this.#cancelSync ??= this.#shell.after(SYNC_MS, () => void this.#sync());
  }

  /** Makes one last attempt at the backlog, syncs, and closes the files. */
  close(): void {
    if (this.#isClosed) return;
    if (!this.#backlog.isEmpty) this.#retry();
    this.writeConfirmation();
    this.#isClosed = true;
    this.#cancelSync?.();
    this.#cancelRetry?.();
    try {
      this.#files.close();
      for (const segment of this.#deletable.splice(0))
        this.#attempt(segment, () => this.#files.eraseNow(segment));
    } catch (error) {
      this.#shell.log("error", "spool_sync_failed", { error });
    }
  }

  /** Writes the backlog in order until the disk fails again. */
  #retry(): void {
    const backlog = this.#backlog;
    try {
      for (const [id, line] of backlog.opens) {
        this.#shell.onOpenWritten(id, this.#files.append(line));
        backlog.opens.delete(id);
      }
      for (let first = backlog.records[0]; first !== undefined; first = backlog.records[0]) {
        this.#files.append(first.line).segment.lastPosition = first.position;
        backlog.shift();
      }
      if (backlog.settledIds.length > 0)
        this.#files.append(lineOf({ t: "over", at: this.#shell.now(), ids: backlog.settledIds }));
      backlog.settledIds = [];
      this.#shell.onDiskBack();
    } catch {
      this.#scheduleRetry();
    }
    this.scheduleSync();
  }

  #scheduleRetry(): void {
    if (this.#isClosed) return;
    this.#cancelRetry ??= this.#shell.after(RETRY_MS, () => {
      this.#cancelRetry = null;
      this.#retry();
    });
  }

  async #sync(): Promise<void> {
    this.writeConfirmation();
    const deletable = this.#deletable.splice(0);
    this.#cancelSync = null;
    try {
      await this.#files.sync();
      for (const segment of deletable)
        await this.#attempt(segment, () => this.#files.erase(segment));
    } catch (error) {
      this.#shell.log("error", "spool_sync_failed", { error });
      this.#deletable.push(...deletable);
    }
  }

  async #attempt({ path }: SpoolSegment, erase: () => void | Promise<void>): Promise<void> {
    try {
      await erase();
    } catch (error) {
      this.#shell.log("warn", "spool_segment_kept", { path, error });
    }
  }
}
