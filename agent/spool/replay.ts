/**
 * Reads the log when an agent starts: which requests are open, finished and confirmed.
 */
import { SpoolIds } from "./ids.ts";
import { parseLine, type RequestProgress, type SpoolLine } from "./lines.ts";
import { withPart } from "./noted-texts.ts";
import type { SegmentFiles, SpoolPlace } from "./segments.ts";

export type Replay = {
  ids: SpoolIds;
  /** Requests without a record, in the order they began. */
  open: Map<string, SpoolPlace>;
  /** The last noted state of open requests. */
  progress: Map<string, RequestProgress>;
  /** The noted text of open requests; null if a part of it is missing. */
  texts: Map<string, string | null>;
  /** Everything up to here is in the ledger. */
  confirmed: number;
  /** Highest position in the log. */
  lastPosition: number;
  /** Finished and not confirmed. */
  pending: number;
  /**
   * Unix ms at which the last line was written: the best estimate of when the agent stopped. Not
   * the latest time in the log: the clock of an earlier run may have been ahead.
   */
  lastAt: number;
  /** Invalid lines: torn by a crash, or damaged on the disk. */
  badLines: number;
  unreadable: { path: string; error: unknown }[];
};

/**
 * Reads every segment once. An unreadable segment is set aside: its file stays for the next start,
 * and only its own requests are affected.
 */
export function replay(files: SegmentFiles): Replay {
  const found: Replay = {
    ids: new SpoolIds(),
    open: new Map(),
    progress: new Map(),
    texts: new Map(),
    confirmed: 0,
    lastPosition: 0,
    pending: 0,
    lastAt: 0,
    badLines: 0,
    unreadable: [],
  };
  const unconfirmed: number[] = [];
  for (const segment of [...files.segments]) {
    try {
      for (const { text, offset } of files.lines(segment)) {
        const line = parseLine(text);
        if (line === null) found.badLines += 1;
        else apply(found, unconfirmed, line, { segment, offset });
      }
    } catch (error) {
      files.forget(segment);
      found.unreadable.push({ path: segment.path, error });
    }
  }
  found.pending = unconfirmed.filter((position) => position > found.confirmed).length;
  return found;
}

function apply(found: Replay, unconfirmed: number[], line: SpoolLine, place: SpoolPlace): void {
  const { ids, open } = found;
  found.lastAt = line.at;
  switch (line.t) {
    case "open": {
      const id = line.begun.request_id;
      // Already ended: this is a copy of a line from a segment that was being deleted.
      if (ids.has(id) && !ids.isOpen(id)) return;
      ids.begin(id, found.confirmed);
      open.set(id, place);
      return;
    }
    case "progress":
      for (const each of line.requests) found.progress.set(each.request_id, each);
      return;
    case "text": {
      const { request_id: id } = line.part;
      found.texts.set(id, withPart(found.texts.get(id) ?? null, line.part));
      return;
    }
    case "done":
      found.texts.delete(line.record.request_id);
      found.progress.delete(line.record.request_id);
      if (line.position <= found.lastPosition) return;
      found.lastPosition = line.position;
      place.segment.lastPosition = line.position;
      open.delete(line.record.request_id);
      ids.finish(line.record.request_id, line.position);
      unconfirmed.push(line.position);
      return;
    case "confirmed":
      found.confirmed = Math.max(found.confirmed, line.position);
      return;
    case "gone":
      found.texts.delete(line.id);
      open.delete(line.id);
      ids.settle(line.id);
      return;
    case "over":
      ids.prepend(line.ids);
      for (const id of line.ids) {
        open.delete(id);
        if (ids.isOpen(id)) ids.settle(id);
      }
  }
}
