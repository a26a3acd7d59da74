/**
 * What the log says when an agent starts: who was open, what is finished, what is confirmed.
 */
import { SpoolIds } from "./spool-ids.ts";
import { parseLine } from "./spool-lines.ts";
import type { Place, SegmentFiles } from "./spool-segments.ts";

export type Replay = {
  ids: SpoolIds;
  /** Requests without a record, in the order they were begun. */
  open: Map<string, Place>;
  /** Everything up to here is in the ledger. */
  confirmed: number;
  /** Highest position in the log. */
  lastPosition: number;
  /** Finished and not confirmed. */
  pending: number;
  /** When the last line was written, unix ms: how far the clock had come when the agent stopped. */
  lastAt: number;
  /** Lines that are none: torn by a crash, or harmed on the disk. */
  badLines: number;
};

/** Reads every segment once. @throws the system's error when one cannot be read. */
export function replay(files: SegmentFiles): Replay {
  const ids = new SpoolIds();
  const open = new Map<string, Place>();
  const unconfirmed: number[] = [];
  let [confirmed, lastPosition, lastAt, badLines, confirmedCount] = [0, 0, 0, 0, 0];
  for (const segment of files.segments) {
    for (const { text, offset } of files.lines(segment)) {
      const line = parseLine(text);
      if (line === null) {
        badLines += 1;
        continue;
      }
      lastAt = Math.max(lastAt, line.at);
      switch (line.t) {
        case "open": {
          const id = line.begun.request_id;
          // A copy of a line that moved here from a deleted segment: the newer place counts.
          if (ids.has(id) && !ids.isOpen(id)) break;
          ids.begin(id, confirmed);
          open.set(id, { segment, offset });
          break;
        }
        case "done":
          if (line.position <= lastPosition) break;
          lastPosition = line.position;
          segment.lastPosition = line.position;
          open.delete(line.record.request_id);
          ids.finish(line.record.request_id, line.position);
          unconfirmed.push(line.position);
          break;
        case "confirmed":
          confirmed = Math.max(confirmed, line.position);
          while ((unconfirmed[confirmedCount] ?? Number.POSITIVE_INFINITY) <= confirmed) confirmedCount += 1;
          break;
        case "over":
          for (const id of line.ids) open.delete(id);
          ids.prepend(line.ids);
          for (const id of line.ids) if (ids.isOpen(id)) ids.settle(id);
          break;
      }
    }
  }
  return { ids, open, confirmed, lastPosition, pending: unconfirmed.length - confirmedCount, lastAt, badLines };
}
